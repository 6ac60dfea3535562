#!/usr/bin/env bash
# Fetches the real programs and data that the end-to-end tests talk to: libcoap,
# tshark, iptables and ffmpeg (Debian), footage of pedestrians (Debian's opencv-doc), a
# weather station's hours (npm's vega-datasets), deltalake and DuckDB (PyPI),
# and what CoAP devices run: aiocoap (PyPI), coap, coap-cli and node-coap-client
# (npm); with the word "engines" Spark, Flink and Californium too. What is there
# is kept.
#
# Files go to $SKERRY_PEERS, by default skerry-peers in the user's cache.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
peers=${SKERRY_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/skerry-peers}
mkdir -p "$peers"

WEATHER_SHA256=3433511ab963755ec1a573420af962e713e66691c07c068f5a247e6891912311
FOOTAGE_SHA256=45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf
DELTA_VERSION=4.0.1 # for the pyspark of engines/engines.txt

die() { echo "e2e/peers.sh: $1" >&2; echo "  run: $2" >&2; exit 1; }
have() { command -v "$1" >/dev/null; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# debian PACKAGE...: installs packages, or says how.
debian() {
  if ! have apt-get || ! as_root true 2>/dev/null; then
    die "the tests need the Debian packages $*" "apt-get install --no-install-recommends $*"
  fi
  echo "installing $*"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

programs() {
  local missing=()
  have coap-client-notls && have coap-client-openssl || missing+=(libcoap3-bin)
  have gcc || missing+=(gcc libc6-dev)
  [ -e /usr/include/coap3/coap.h ] || missing+=(libcoap3-dev)
  have ffmpeg || missing+=(ffmpeg)
  have tshark || missing+=(tshark)
  have ip || missing+=(iproute2)
  have iptables || missing+=(iptables)
  [ ${#missing[@]} = 0 ] || debian "${missing[@]}"
}

# matches FILE SHA256
matches() { [ -f "$1" ] && echo "$2  $1" | sha256sum --check --status; }

# into DIRECTORY COMMAND...: runs a command in a folder.
into() { (cd "$1" && "${@:2}"); }

footage() {
  if matches "$peers/vtest.avi" "$FOOTAGE_SHA256"; then return; fi
  have dpkg-deb || die "the footage comes out of a Debian package" "put vtest.avi of OpenCV's samples into $peers"
  echo "fetching vtest.avi"
  # The package depends on much that nobody here needs: take the one file.
  if ! into "$work" apt-get download -qq opencv-doc 2>/dev/null; then
    as_root apt-get update -qq
    into "$work" apt-get download -qq opencv-doc
  fi
  dpkg-deb --fsys-tarfile "$work"/opencv-doc_*.deb |
    tar -xO ./usr/share/doc/opencv-doc/examples/data/vtest.avi >"$work/vtest.avi"
  matches "$work/vtest.avi" "$FOOTAGE_SHA256" ||
    die "vtest.avi is not the file the tests know" "sha256sum $work/vtest.avi"
  mv "$work/vtest.avi" "$peers/"
}

weather() {
  if matches "$peers/weather.csv" "$WEATHER_SHA256"; then return; fi
  have npm || die "the weather data comes from the npm registry" "install Node.js with npm"
  echo "fetching the weather data"
  into "$work" npm pack --silent vega-datasets@3.2.1 >/dev/null
  tar -xzOf "$work/vega-datasets-3.2.1.tgz" package/data/seattle-weather-hourly-normals.csv >"$work/weather.csv"
  matches "$work/weather.csv" "$WEATHER_SHA256" ||
    die "the weather data is not the file the tests know" "sha256sum $work/weather.csv"
  mv "$work/weather.csv" "$peers/"
}

# python FILE: a virtual environment with exactly the packages of FILE.txt. It
# has the file's name, without folders.
python() {
  local venv=$peers/${1##*/} requirements=$here/$1.txt
  if cmp -s "$requirements" "$venv/requirements.txt"; then return; fi
  have python3 || die "some peers are Python packages" "apt-get install python3 python3-venv"
  echo "installing the Python packages of $1.txt"
  rm -rf "$venv"
  python3 -m venv "$venv" || die "python3 cannot make virtual environments" "apt-get install python3-venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$venv/requirements.txt"
}

# aiocoap with DTLSSocket, which wraps tinydtls and comes as source.
aiocoap() {
  if cmp -s "$here/clients/aiocoap.txt" "$peers/aiocoap/requirements.txt"; then return; fi
  local missing=()
  have make || missing+=(make)
  have autoreconf || missing+=(autoconf)
  have aclocal || missing+=(automake)
  python_headers || missing+=(python3-dev)
  [ ${#missing[@]} = 0 ] || debian "${missing[@]}"
  python clients/aiocoap
}

python_headers() {
  python3 -c 'import os, sysconfig
raise SystemExit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'
}

# node: the clients of npm, exactly those of clients/package-lock.json.
node() {
  local lock=clients/package-lock.json
  if cmp -s "$here/$lock" "$peers/node/package-lock.json"; then return; fi
  have npm || die "some peers are npm packages" "install Node.js with npm"
  echo "installing the npm packages of $lock"
  rm -rf "$peers/node"
  mkdir "$work/node"
  cp "$here/clients/package.json" "$here/$lock" "$work/node/"
  # Not "npm ci": it asks that the lock names the builds for other systems too.
  into "$work/node" npm install --no-save --silent --no-fund --no-audit
  mv "$work/node" "$peers/"
}

# jars DIRECTORY GOAL...: lets Maven put jars into $peers/DIRECTORY, once.
jars() {
  local into=$peers/$1
  if [ -d "$into" ]; then return; fi
  echo "fetching jars for $1"
  mvn --quiet --batch-mode "${@:2}" -DoutputDirectory="$work/jars"
  mkdir -p "$(dirname "$into")"
  mv "$work/jars" "$into"
}

# engines: Spark with the jars that let it read Delta tables, Flink, and
# Californium.
engines() {
  have java || die "Spark, Flink and Californium run on Java" "apt-get install openjdk-17-jdk-headless"
  have mvn || die "their jars come from Maven Central" "apt-get install maven"
  python engines/engines
  local plugin=org.apache.maven.plugins:maven-dependency-plugin:3.8.1
  jars spark/delta "$plugin:copy" -Dartifact="io.delta:delta-spark_2.13:$DELTA_VERSION"
  jars spark/storage "$plugin:copy" -Dartifact="io.delta:delta-storage:$DELTA_VERSION"
  jars flink "$plugin:copy-dependencies" --file "$here/engines/pom.xml"
  jars californium "$plugin:copy-dependencies" --file "$here/clients/pom.xml"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
programs
footage
weather
python engines/readers
aiocoap
node
if [ "${1:-}" = engines ]; then engines; fi
