"""What goes wrong as lines of JSON on standard error, for whoever collects the logs of a server."""

from __future__ import annotations

import json
import logging
import os
import time


class JsonLine(logging.Formatter):
    """One line of JSON for each record: time (UTC, ISO 8601), level, logger, message, and a traceback where one is.

    >>> record = logging.LogRecord("flowlab.jobs", logging.ERROR, "", 0, 'no "%s"', ("disk",), None)
    >>> json.loads(JsonLine().format(record))["message"]
    'no "disk"'
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, whatever its message holds."""
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{now}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up() -> None:
    """With FLOWLAB_LOG=json whatever is logged is written as JSON lines, by every logger that is there; else nothing.

    ValueError for any other value of FLOWLAB_LOG.
    """
    wanted = os.environ.get("FLOWLAB_LOG", "")
    if wanted not in ("", "json"):
        raise ValueError(f"FLOWLAB_LOG is {wanted!r}; set it to json for lines of JSON, or unset it for plain text")
    if not wanted:
        return
    logging.captureWarnings(True)
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    named = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    for logger in (root, *named):
        for handler in logger.handlers:
            handler.setFormatter(JsonLine())
