"""Validates an RO-Crate with the public validator and reads it with the public library.

`validate_crate.py CRATE...`: prints an object of JSON for each: what is wrong, what was read. It
uses no network: the context that the library brings stands in for the one at its address, and
anything else that is asked for is an error.
"""

import email.message
import io
import json
import sys
import urllib.request
import urllib.response
from importlib import resources
from pathlib import Path

import requests
from rocrate.rocrate import ROCrate
from rocrate_validator import services
from rocrate_validator.models import ValidationSettings

CONTEXT = "https://w3id.org/ro/crate/1.2/context"
BODY = (resources.files("rocrate") / "data" / "ro-crate.jsonld").read_bytes()
_open = urllib.request.OpenerDirector.open


def send(session, request, **options):
    """Answer in place of the network."""
    if request.url != CONTEXT:
        raise requests.ConnectionError(f"no network here: {request.url}")
    response = requests.Response()
    response.status_code, response.url, response.request = 200, request.url, request
    response._content = BODY
    response.headers["Content-Type"] = "application/ld+json"
    return response


def open_url(opener, address, *arguments, **options):
    """Answer in place of the network; files of this machine are opened."""
    url = getattr(address, "full_url", address)
    if url.startswith("file:"):
        return _open(opener, address, *arguments, **options)
    if url != CONTEXT:
        raise OSError(f"no network here: {url}")
    head = email.message.Message()
    head["Content-Type"] = "application/ld+json"
    return urllib.response.addinfourl(io.BytesIO(BODY), head, url, 200)


def validate(crate: str) -> dict[str, object]:
    """Return what is wrong with a crate, and how many files the library reads in it."""
    settings = ValidationSettings(
        rocrate_uri=crate,
        profile_identifier="ro-crate-1.2",
        requirement_severity="REQUIRED",
        no_cache=True,
    )
    result = services.validate(settings)
    issues = [f"{issue.check.identifier}: {issue.message}" for issue in result.get_issues()]
    files = len(ROCrate(crate).data_entities)
    return {
        "crate": Path(crate).name,
        "issues": issues,
        "passed": result.passed(),
        "files": files,
    }


def main(*crates: str) -> None:
    """Validate and read some crates."""
    requests.Session.send = send
    urllib.request.OpenerDirector.open = open_url
    for crate in crates:
        print(json.dumps(validate(crate)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
