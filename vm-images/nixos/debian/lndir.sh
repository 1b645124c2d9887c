# shellcheck shell=bash
# lndir [-silent] FROM [TO]: the folders of FROM, with a link to each of its files.
[ "$1" != -silent ] || shift
cd "${2:-.}" || exit
cp -rsn "$1/." .
