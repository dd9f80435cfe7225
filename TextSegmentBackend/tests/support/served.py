"""A server with any settings and segmenter, for ``server_process``: JSON on the command line says which."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path


def main() -> None:
    # Not above: the workers import this file, too, and need no server.
    import textsegment.server.http.response_stream
    from textsegment.errors import TextSegmentError
    from textsegment.server.engines.local import LocalEngine
    from textsegment.server.run import run_server
    from textsegment.server.settings import ServerSettings
    from textsegment.wire.limits import Limits

    wanted = json.loads(sys.argv[1])
    if heartbeat_s := wanted["heartbeat_s"]:
        textsegment.server.http.response_stream.HEARTBEAT_S = heartbeat_s
    settings = wanted["settings"]
    for name in ("certfile", "keyfile", "store_folder", "token_file", "audit_file"):
        if name in settings:
            settings[name] = Path(settings[name])
    for name in ("keys", "allowed_hosts"):
        settings[name] = tuple(settings.get(name, ()))
    settings["limits"] = Limits(**settings.get("limits", {}))
    if wanted["max_file_bytes"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (wanted["max_file_bytes"],) * 2)
    if limit := wanted["max_open_files"]:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (abs(limit), limit if limit > 0 else hard))
    engine = LocalEngine(wanted["arguments"], wanted["segmenter"], **wanted["engine"])
    settings.setdefault("port", 0)
    try:
        run_server(engine, ServerSettings(**settings), announce_json=True, stop_with_stdin=True)
    except TextSegmentError as error:
        sys.exit(f"{error.code}: {error}")


if __name__ == "__main__":
    main()
