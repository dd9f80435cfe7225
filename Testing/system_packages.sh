#!/usr/bin/env bash
# Installs the Debian packages that the tests need where it may: as root, or by sudo without a password.
# Prints those that are missing afterwards, and says on stderr what to type.
set -euo pipefail
# Python's venv; rendering without a screen, Qt and a font; the proxy of the deployment tests; an archive and the
# tools of a scanner for the tests of the DICOM node.
packages=(python3-venv libosmesa6 libegl1 libgl1 libxkbcommon-x11-0 libdbus-1-3 fonts-dejavu-core nginx-light
  orthanc orthanc-dicomweb dcmtk iproute2 chromium)

missing() {
  for package in "${packages[@]}"; do
    [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2> /dev/null)" = installed ] || echo "$package"
  done
}

if ! command -v dpkg-query apt-get > /dev/null; then
  echo "This is no Debian: the tests need what these packages hold: ${packages[*]}" >&2
  exit 0
fi
mapfile -t wanted < <(missing)
if [ "${#wanted[@]}" -gt 0 ]; then
  line="apt-get install --yes --no-install-recommends ${wanted[*]}"
  if [ "$(id -u)" = 0 ]; then
    as_root=(env)
  elif sudo --non-interactive true 2> /dev/null; then
    as_root=(sudo --non-interactive env)
  else
    as_root=()
  fi
  if [ "${#as_root[@]}" -gt 0 ]; then
    echo "Installing packages of the system: ${wanted[*]}" >&2
    as_root+=(DEBIAN_FRONTEND=noninteractive)
    { "${as_root[@]}" apt-get update -qq; "${as_root[@]}" $line -qq -o Dpkg::Use-Pty=0; } >&2 || true
    # Debian starts Orthanc as a service that listens to everybody; the tests start their own.
    if [[ " ${wanted[*]} " == *" orthanc "* ]] && command -v systemctl > /dev/null; then
      "${as_root[@]}" systemctl disable --now orthanc > /dev/null 2>&1 || true
    fi
  fi
  mapfile -t wanted < <(missing)
  if [ "${#wanted[@]}" -gt 0 ]; then
    echo "Packages of the system are missing. To install them, type:" >&2
    echo "  sudo $line" >&2
  fi
fi
printf '%s\n' "${wanted[@]}"
