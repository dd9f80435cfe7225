"""The contract between client and server, described in ``docs/protocol.md``.

``contract`` defines the routes and headers, ``limits`` the sizes that are accepted, ``admission`` what is
rejected before a body is read, ``messages`` the JSON bodies, ``failures`` how errors are transmitted,
``volumes`` the upload, ``mask_codec`` and ``frames`` the response, ``correction_codec`` and
``contour_codec`` corrections and outlines. With ``export_order`` and ``comparison_order``, Slicer has the
engine's Python write and compare files.
"""
