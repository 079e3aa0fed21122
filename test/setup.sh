#!/bin/sh
# Installs the pinned dependencies when they are missing or the lock file has changed since.
# Every npm script runs this first, so none of them needs an `npm ci` before it.
set -e
cd "$(dirname "$0")/.."
stamp=node_modules/.regctl-lock
if [ ! -f "$stamp" ] || ! cmp -s package-lock.json "$stamp"; then
  npm ci --no-audit --no-fund --loglevel=error >&2
  cp package-lock.json "$stamp"
fi
