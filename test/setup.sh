#!/bin/sh
# Installs the pinned dependencies when they are missing or the lock file has changed since.
# Every npm script runs this first, so none of them needs an `npm ci` before it.
# Not `npm ci`: npm 11's refuses a lock file without the packages of every other platform, which not all registries serve.
set -e
cd "$(dirname "$0")/.."
stamp=node_modules/.regctl-lock
if [ ! -f "$stamp" ] || ! cmp -s package-lock.json "$stamp"; then
  npm install --no-save --no-audit --no-fund --loglevel=error >&2
  cp package-lock.json "$stamp"
fi
