"""A package, so that the browser is closed behind its last test: Playwright keeps an event loop open."""
