#!/usr/bin/perl
# tree.pl OUT KERNEL VERSION PROGRAMS...: makes two trees for the Nix store of the Debian that it runs in. Run once, as root,
# while an image is built.
#
#   OUT     usr/, which NixOS systems have at /usr, and programs/NAME/, one folder of links for each of PROGRAMS
#   KERNEL  bzImage, config and lib/modules/VERSION
#
# One of PROGRAMS is NAME=FOLDER=PACKAGE,...=LINK:PROGRAM,...=PLACE:FILE,...: the attribute, the folder beside bin/ in which nixpkgs' package of that
# name has its units ("lib" or "example"), Debian's packages, links in bin/, and
# copies of files that belong to no package: of Debian's tree, or of those beside this program.
use strict;
use warnings;
use File::Basename qw(dirname basename);
use File::Path qw(make_path);
use Cwd qw(abs_path);

my ($out, $kernel, $version, @programs) = @ARGV;

# What NixOS' modules decide. A program of NixOS finds none of it below /usr, so those of Debian must not, either.
my @decided = qw(
  lib/systemd/system lib/systemd/user lib/systemd/system-preset lib/systemd/user-preset lib/systemd/system.conf.d
  lib/systemd/user.conf.d lib/systemd/journald.conf.d lib/systemd/resolved.conf.d lib/systemd/ssh_config.d
  lib/tmpfiles.d lib/sysctl.d lib/sysusers.d lib/modprobe.d lib/modules-load.d lib/binfmt.d lib/environment.d
  lib/pam.d share/dbus-1 share/polkit-1 share/pam share/pam-configs
);
# What no system of the lab has a use for.
my @unused = qw(
  lib/modules lib/apt lib/dpkg lib/init lib/initramfs-tools lib/dracut lib/runit-helper lib/valgrind share/doc share/man
  share/locale share/info share/lintian share/bash-completion share/zsh share/fish share/bug share/debconf share/dpkg
  share/keyrings share/menu share/apport share/initramfs-tools share/vim share/gitweb share/applications share/icons
  share/pixmaps share/metainfo share/common-licenses share/doc-base src games local
);
# Generators that nixpkgs' systemd is built without.
push @unused, map { "lib/systemd/system-generators/$_" } qw(systemd-sysv-generator systemd-rc-local-generator);
# Folders with too many files for a link each: one link stands for all of it.
my @whole = qw(
  lib/git-core lib/python3 lib/python3.13 lib/python3.14 lib/x86_64-linux-gnu/perl lib/x86_64-linux-gnu/perl-base
  share/perl share/perl5 share/zoneinfo lib/firewalld share/nmap
);
my $whole = join '|', map quotemeta, @whole;

sub run { system(@_) == 0 or die "tree.pl: @_: failed\n" }
sub link_to { my ($target, $link) = @_; symlink $target, $link or die "tree.pl: $link: $!\n" unless -l $link }

# --- /usr

make_path($out, "$out/programs/.nothing");
run('cp', '-al', '/usr', "$out/usr");
run('rm', '-rf', map { "$out/usr/$_" } @decided, @unused);
run("rm -f $out/usr/bin/apt* $out/usr/bin/dpkg* $out/usr/sbin/dpkg* $out/usr/sbin/update-*");
# Where programs of NixOS look instead, by a constant that nixpkgs compiles into them.
make_path("$out/usr/share/dbus-1");
link_to("/etc/dbus-1/$_.conf", "$out/usr/share/dbus-1/$_.conf") for qw(system session);
link_to('/run/current-system/sw/share/polkit-1', "$out/usr/share/polkit-1");
# What the lab puts into it, in place of the machine's own.
link_to('/var/local', "$out/usr/local");

# Links by way of /etc/alternatives, of which a NixOS system has none.
my %alternatives;
for my $link (grep { -l } glob "$out/usr/bin/* $out/usr/sbin/* $out/usr/lib/* $out/usr/lib/x86_64-linux-gnu/*") {
    next unless readlink($link) =~ m{^/etc/alternatives/};
    (my $name = $link) =~ s{^\Q$out\E}{};
    my $target = abs_path($name);
    unlink $link;
    next unless defined $target && -e "$out$target";
    link_to("../../.$target" =~ s{^\.\./\.\./\./usr/}{../}r, $link) if $name =~ m{^/usr/s?bin/};
    push @{ $alternatives{$target} }, $name;
}

# --- a folder for each program

sub files {
    my ($package) = @_;
    my ($list) = grep { -e } map { "/var/lib/dpkg/info/$package$_.list" } '', ':amd64';
    return unless defined $list;
    open my $lines, '<', $list or die "tree.pl: $list: $!\n";
    chomp(my @files = <$lines>);
    # Debian's two names for one folder.
    return map { s{^/(bin|sbin|lib|lib64)/}{/usr/$1/}r } @files;
}

my %made;
# Relative: where the tree will be depends on its content.
sub link_into {
    my ($file, $place) = @_;
    my $depth = ($place =~ s{^\Q$out\E/}{}r) =~ tr{/}{};
    link_to('../' x $depth . substr($file, 1), $place);
}
sub folder { my ($path) = @_; make_path($path) unless $made{$path}++ }

for my $program (@programs) {
    my ($name, $units, $packages, $also, $copies) = split /=/, $program;
    my $folder = "$out/programs/$name";
    folder("$folder/bin");
    link_to('bin', "$folder/sbin");
    my @files = map { files($_) } split /,/, $packages;
    push @files, map { @{ $alternatives{$_} // [] } } @files;
    my %seen;
    for my $file (@files) {
        next if $file =~ m{^/usr/(?:share/(?:doc|man|locale|info|lintian|bash-completion|zsh|fish|debconf|bug)|include|lib/init)/};
        if ($file =~ m{^/usr/($whole)(?:/|$)}) {
            my $part = $1;
            next if $seen{$part}++ || ! -d "$out/usr/$part";
            my $place = "$folder/" . ($part =~ s{x86_64-linux-gnu/}{}r);
            folder(dirname($place));
            link_into("/usr/$part", $place);
            next;
        }
        next if -d $file && ! -l $file || ! -e $file && ! -l $file;
        my $place;
        if ($file =~ m{^/usr/s?bin/(.+)}) { $place = "bin/$1" }
        elsif ($file =~ m{^/usr/lib/systemd/((?:system|user)/.+)}) { $place = "$units/systemd/$1" }
        elsif ($file =~ m{^/usr/lib/((?:tmpfiles|sysctl|sysusers)\.d/.+)}) { $place = "$units/$1" }
        elsif ($file =~ m{^/usr/lib/(?:x86_64-linux-gnu/)?(.+)}) { $place = "lib/$1" }
        elsif ($file =~ m{^/usr/((?:libexec|share)/.+)}) { $place = $1 }
        elsif ($file =~ m{^/(etc/.+)}) { $place = $1 }
        else { next }
        $place = "$folder/$place";
        next if -e $place || -l $place;
        folder(dirname($place));
        if (-e "$out$file") { link_into($file, $place) }
        # Not below /usr any more: a copy. Links among units are other names of a unit, and stay links.
        else { run('cp', '-Pp', $file, $place) }
    }
    for (split /,/, $also // '') { my ($link, $target) = split /:/; link_to($target, "$folder/bin/$link") }
    for (split /,/, $copies // '') {
        my ($place, $file) = split /:/;
        folder(dirname("$folder/$place"));
        run('cp', '--remove-destination', $file =~ m{^/} ? $file : dirname(abs_path($0)) . "/$file", "$folder/$place");
    }
}

# --- kernel and modules

make_path("$kernel/lib/modules");
run('cp', '-l', "/boot/vmlinuz-$version", "$kernel/bzImage");
my ($config) = grep { -f } "/boot/config-$version", "/usr/lib/modules/$version/config";
run('cp', $config, "$kernel/config");
run('cp', '-al', "/usr/lib/modules/$version", "$kernel/lib/modules/$version");
run("rm -f $kernel/lib/modules/$version/build $kernel/lib/modules/$version/source");
