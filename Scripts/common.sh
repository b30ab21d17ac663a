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

# Puts a python3 with other people's readers of our formats first on the PATH: the one that is there if it has them
# all, else a virtual environment in .build, made once. What is installed already, Keras for instance, stays visible.
install_consumers() {
    local packages=(numpy onnx onnxruntime safetensors tensorboard kubernetes_validate) folder=$PWD/.build/consumers python
    for python in python3 "$folder/bin/python3"; do
        if "$python" -c 'import sys, importlib; [importlib.import_module(p) for p in sys.argv[1:]]' \
            "${packages[@]}" 2>/dev/null; then
            [ "$python" = python3 ] || PATH=$folder/bin:$PATH
            return 0
        fi
    done
    echo "Installing ${packages[*]} (PyPI) in .build/consumers …" >&2
    python3 -m venv --clear --system-site-packages "$folder" >/dev/null 2>&1 || return 1
    if ! timeout 300 "$folder/bin/python3" -m pip install --quiet --disable-pip-version-check \
        "${packages[@]}" >/dev/null 2>&1; then
        rm -rf "$folder"
        return 1
    fi
    PATH=$folder/bin:$PATH
}

require_swift() {
    command -v swift >/dev/null && return 0
    echo "There is no Swift toolchain on the PATH: install Swift 6.2 or newer from https://swift.org/install" >&2
    exit 69
}
