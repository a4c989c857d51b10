#!/usr/bin/env bash
# Publishes the package in the current folder under a tag, unless its version is published: a release that failed between its
# two packages can be run again. Other arguments go to npm.
set -euo pipefail
tag="$1"
shift
package="$(node -p 'const { name, version } = require("./package.json"); `${name}@${version}`')"
if npm view "$package" version >/dev/null 2>&1; then
  echo "$package is published already"
else
  npm publish --provenance --access public --ignore-scripts --tag "$tag" "$@"
fi
