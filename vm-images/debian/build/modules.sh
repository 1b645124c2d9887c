# Defines what both kinds of hosts call to leave the initrd's kernel modules in ./export: the parts of the script
# that puts a disk together stand behind it.

# export_modules FOLDER NAME...: copies the modules of the kernel whose folder of modules is FOLDER, in loading order, as
# files that the initrd can load. Uses ./export/busybox.
export_modules() {
    folder=$1
    shift
    mkdir export/modules
    : >export/modules/order
    for module in "$@"; do
        # Built into this kernel, a module of another one.
        if grep -q "/$module\.ko" "$folder/modules.builtin"; then continue; fi
        file=$(find "$folder/kernel" -name "$module.ko*")
        case $file in
        *.ko.xz) export/busybox xzcat "$file" >"export/modules/$module.ko" ;;
        *.ko) cp "$file" "export/modules/$module.ko" ;;
        *)
            echo "kernel ${folder##*/} has no module $module in a form that the initrd can load: '$file'" >&2
            exit 1
            ;;
        esac
        echo "$module" >>export/modules/order
    done
}
