"""The routes: jobs, volumes, words, contours, and the page."""
