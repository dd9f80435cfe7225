"""The contract between client and server, described in ``docs/protocol.md``.

``contract`` names the routes and headers, ``limits`` what is accepted, ``admission`` what is refused before a
body is read, ``messages`` the JSON bodies, ``failures`` how errors travel, ``volume_header`` and
``volume_codec`` the upload, ``mask_codec`` and ``frames`` the answer.
"""
