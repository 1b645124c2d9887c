# shellcheck shell=bash
# lndir [-silent] FROM [TO]: the folders of FROM, with a link to each of its files.
[ "$1" != -silent ] || shift
cd "${2:-.}"
cp -rsn "$1/." .
