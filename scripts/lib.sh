# Shared by the scripts beside it: talking to the person, finding what they need. Sourced, never run.

step() { printf '\n\033[1m▸ %s\033[0m\n' "$*"; }
note() { printf '  %s\n' "$*"; }
die() { printf '\n\033[1m✗ %s\033[0m\n' "$1" >&2; shift; for line in "$@"; do printf '  %s\n' "$line" >&2; done; exit 2; }

# The oldest cargo that builds us: rust-version in Cargo.toml.
need_cargo() {
  local wanted have
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  command -v cargo >/dev/null || die "Rust is not installed (version $wanted or newer is needed)." \
    "Install it with rustup, as https://www.rust-lang.org/tools/install describes," "then run this script again."
  have=$(cargo --version | awk '{print $2}')
  [ "$(printf '%s\n%s\n' "$wanted" "$have" | sort -V | head -n 1)" = "$wanted" ] ||
    die "cargo $have is too old; version $wanted or newer is needed." "Run: rustup update stable" "then run this script again."
}

# need_packages NAME…: installs the Debian packages that are missing, asking sudo when we are not root.
need_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && { note "Debian packages: all there"; return; }
  note "installing: ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "These packages are missing and need an administrator:" "apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Packages to build and run the gateway, and the peers that call it.
BUILD_PACKAGES=(build-essential cmake pkg-config)
RUN_PACKAGES=(flite python3 python3-pip)
PEER_PACKAGES=(sip-tester baresip sox tcpdump)

# Model weights: a folder beside the checkout serves development and is only read; anyone else gets them fetched once
# and kept. The runtime library is fetched for everybody.
use_models() {
  local beside="$PWD/../shared"
  if [ -d "$beside/speech" ]; then TRUNKLINE_SPEECH=${TRUNKLINE_SPEECH:-$(cd "$beside/speech" && pwd)}; fi
  if [ -d "$beside/nlu" ]; then TRUNKLINE_NLU=${TRUNKLINE_NLU:-$(cd "$beside/nlu" && pwd)}; fi
  export TRUNKLINE_SPEECH=${TRUNKLINE_SPEECH:-} TRUNKLINE_NLU=${TRUNKLINE_NLU:-}
  if [ -z "${TRUNKLINE_MODELS:-}" ] && [ -d "$beside/models/moonshine-tiny-en" ]; then
    scripts/models onnxruntime
    TRUNKLINE_MODELS=$(cd "$beside/models" && pwd)
  else
    TRUNKLINE_MODELS=${TRUNKLINE_MODELS:-${XDG_DATA_HOME:-$HOME/.local/share}/trunkline/models}
    export TRUNKLINE_MODELS
    scripts/models
  fi
  export TRUNKLINE_MODELS
}
