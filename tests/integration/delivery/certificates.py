"""An authority of the test's own, and what it signed."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

EXTENSIONS = """
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
subjectAltName = DNS:hooks.example, DNS:localhost
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[client]
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass(frozen=True, slots=True)
class Signed:
    """A certificate and its key, PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """All that a test needs."""

    authority: Path
    server: Signed
    client: Signed


def make(folder: Path) -> Certificates:
    extensions = folder / "extensions.cnf"
    extensions.write_text(EXTENSIONS)
    authority = folder / "authority.pem"
    _openssl("req", "-x509", *_new("authority", folder), "-subj", "/CN=authority", "-days", "2",
             "-config", _config(folder), "-extensions", "authority", "-out", str(authority))  # fmt: skip
    signed: list[Signed] = []
    for name in ("server", "client"):
        request = folder / f"{name}.csr"
        certificate = folder / f"{name}.pem"
        _openssl("req", *_new(name, folder), "-subj", f"/CN={name}", "-config", _config(folder),
                 "-out", str(request))  # fmt: skip
        _openssl("x509", "-req", "-in", str(request), "-CA", str(authority), "-CAkey",
                 str(folder / "authority.key"), "-CAcreateserial", "-days", "2", "-extfile",
                 str(extensions), "-extensions", name, "-out", str(certificate))  # fmt: skip
        signed.append(Signed(certificate, folder / f"{name}.key"))
    return Certificates(authority, *signed)


def _new(name: str, folder: Path) -> list[str]:
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    return [*curve, "-nodes", "-keyout", str(folder / f"{name}.key")]


def _config(folder: Path) -> str:
    path = folder / "request.cnf"
    path.write_text(f"[req]\ndistinguished_name = name\n[name]\n{EXTENSIONS}")
    return str(path)


def _openssl(*arguments: str) -> None:
    subprocess.run(("openssl", *arguments), check=True, capture_output=True, timeout=30)  # noqa: S607 -- wherever it is
