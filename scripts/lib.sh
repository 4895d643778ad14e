# Shared by the scripts beside it: talking to the person, finding what they need. Sourced, never run.

step() { printf '\n\033[1m▸ %s\033[0m\n' "$*"; }
note() { printf '  %s\n' "$*"; }
die() { printf '\n\033[1m✗ %s\033[0m\n' "$1" >&2; shift; for line in "$@"; do printf '  %s\n' "$line" >&2; done; exit 2; }

# The oldest cargo that builds us: rust-version in Cargo.toml.
need_cargo() {
  local wanted have update="rustup update stable"
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  command -v rustup >/dev/null || update="install a newer one with rustup, as https://www.rust-lang.org/tools/install describes"
  command -v cargo >/dev/null || die "Rust is not installed (version $wanted or newer is needed)." \
    "Install it with rustup, as https://www.rust-lang.org/tools/install describes," "then run this script again."
  have=$(cargo --version 2>/dev/null | awk '{print $2}') || true
  [ -n "$have" ] || die "cargo does not run (version $wanted or newer is needed)." "Run: rustup default stable" "then run this script again."
  [ "$(printf '%s\n%s\n' "$wanted" "$have" | sort -V | head -n 1)" = "$wanted" ] ||
    die "cargo $have is too old; version $wanted or newer is needed." "Run: $update" "then run this script again."
}

# need_packages NAME…: installs the Debian packages that are missing, asking sudo when we are not root.
need_packages() {
  local missing=() package
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
    die "This script installs packages with apt, and this is neither Debian nor Ubuntu." "Install their counterparts: $*"
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && { note "Debian packages: all there"; return; }
  note "installing: ${missing[*]}"
  need_root "These packages are missing: ${missing[*]}"
  "${AS_ROOT[@]}" apt-get update -qq || note "apt could not refresh every list; trying with what it knows"
  "${AS_ROOT[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" ||
    die "apt could not install: ${missing[*]}" "Its own words are above; put that right, then run this script again."
}

# need_root WHY: sets AS_ROOT to what makes a command an administrator's.
AS_ROOT=()
need_root() {
  [ "$(id -u)" -eq 0 ] && return
  command -v sudo >/dev/null || die "$1" "That needs an administrator, and there is no sudo here: run this script as root."
  note "sudo may ask for your password"
  sudo -v || die "$1" "That needs an administrator: allow sudo, or run this script as root."
  AS_ROOT=(sudo)
}

# Packages to build and run the gateway, and the peers that call it.
BUILD_PACKAGES=(build-essential cmake pkg-config)
RUN_PACKAGES=(flite espeak-ng python3 python3-pip)
PEER_PACKAGES=(sip-tester baresip sox tcpdump)
# More far ends that only the tests need.
TEST_PACKAGES=(kamailio rtpengine-daemon dnsmasq-base openssl libbcg729-0 linphone-cli ffmpeg tshark python3 systemd tzdata)

# What rehearsals by voice are built with (`--features mic`).
VOICE_PACKAGES=(libasound2-dev)

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
