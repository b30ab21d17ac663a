# What the scripts share. Sourced from the top of the repository.

# Installs the named Debian packages that are missing; says so.
install_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    echo "Installing ${missing[*]} (apt) …" >&2
    local run=()
    [ "$(id -u)" -eq 0 ] || run=(sudo)
    if ! "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        "${missing[@]}" >/dev/null 2>&1; then
        "${run[@]}" apt-get update -q >/dev/null
        "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
            "${missing[@]}" >/dev/null
    fi
}

require_swift() {
    command -v swift >/dev/null && return 0
    echo "There is no Swift toolchain on the PATH: install Swift 6.2 or newer from https://swift.org/install" >&2
    exit 69
}
