# Makes the running system this one, as far as a lab can tell the difference: the program of that name that nixpkgs brings is
# compiled, and nothing is compiled here. Called by the wrapper that NixOS' module makes, which sets OUT, the new system, and
# the other variables below.
#
# Units are compared as they are in /etc/systemd/system, with their drop-ins. Those that run and differ are stopped before the
# activation and started after it, or restarted after it (X-StopIfChanged=false), reloaded (X-ReloadIfChanged=true, or only
# X-Reload-Triggers differ), or left alone (X-RestartIfChanged=false, RefuseManualStop=true). Those that are gone are stopped. Units
# of users are not looked at.
#
# Exit status: 0 done; 1 nothing or not everything was activated; 2 usage; 4 the system is active, and units of it failed.
use strict;
use warnings;
use Fcntl qw(:flock);

my $action = $ARGV[0] // '';
my $out = $ENV{OUT} // die "switch-to-configuration: OUT is not set\n";
my $systemd = "$ENV{SYSTEMD}/bin";
my ($old_units, $new_units) = ('/etc/systemd/system', "$out/etc/systemd/system");
my $dry = $action eq 'dry-activate';
$ENV{PATH} = "$systemd:/usr/bin:/usr/sbin";
$| = 1;

unless ($action =~ /^(?:switch|boot|test|dry-activate|check)$/) {
    print STDERR "usage: $0 switch|boot|test|dry-activate|check\n";
    exit 2;
}
sub refuse { print STDERR "switch-to-configuration: $_[0]\n"; exit 1 }
sub run { system(@_) == 0 }

refuse("this is no system that can be switched to") unless -f '/etc/NIXOS' || -d "/etc/static";
mkdir '/run/nixos', 0755;
open my $lock, '>>', '/run/nixos/switch-to-configuration.lock' or refuse("no lock: $!");
flock $lock, LOCK_EX | LOCK_NB or refuse('another switch is running');

my $check = $ENV{PRE_SWITCH_CHECK} // '';
if ($check ne '' && ($ENV{NIXOS_NO_CHECK} // '') ne '1') {
    run($check, $out, $action) or refuse('the checks before a switch failed');
}
exit 0 if $action eq 'check';
if ($action eq 'switch' || $action eq 'boot') {
    my $install = $ENV{INSTALL_BOOTLOADER} // '';
    !-x $install || run($install, $out) or refuse('the boot loader was not installed');
    # Success is reported after what it is about is on the disk.
    run('sync', '-f', '/nix/store') unless ($ENV{NIXOS_NO_SYNC} // '') eq '1';
}
exit 0 if $action eq 'boot';

# --- units, as text

# What a unit says, by section and key, with its drop-ins: lines without comments, in their order.
sub unit {
    my ($folder, $name) = @_;
    my $file = "$folder/$name";
    my ($template) = $name =~ /^(.+\@).+(\.\w+)$/ ? ("$1$2") : ();
    $file = "$folder/$template" if !-e $file && defined $template;
    my @files = -f $file ? ($file) : ();
    push @files, sort map { glob "$folder/$_.d/*.conf" } grep { defined } $name, $template;
    return undef unless @files;
    my (%says, $section);
    for my $part (@files) {
        open my $lines, '<', $part or next;
        my $text = do { local $/; <$lines> };
        $text =~ s/\\\n/ /g;
        for my $line (split /\n/, $text) {
            next if $line =~ /^\s*(?:[#;]|$)/;
            if ($line =~ /^\s*\[(.+)\]\s*$/) { $section = $1; next }
            my ($key, $value) = $line =~ /^\s*([^=]+?)\s*=\s*(.*?)\s*$/ or next;
            push @{ $says{"$section.$key"} }, $value;
        }
    }
    return \%says;
}

sub setting { my ($unit, $key, $default) = @_; my $set = $unit->{$key}; return $set ? $set->[-1] : $default }
sub yes { my ($unit, $key, $default) = @_; return setting($unit, $key, $default) =~ /^(?:1|yes|true|on|y|t)$/i }
sub text { my ($unit, $without) = @_; return join "\n", map { "$_=" . join("\0", @{ $unit->{$_} }) } grep { $_ ne $without } sort keys %$unit }

# --- what has to happen

my (%stop, %start, %restart, %reload, %skip);
my %active;
for (split /\n/, qx($systemd/systemctl list-units --all --plain --no-legend --no-pager)) {
    my ($name, undef, $state, $sub) = split;
    $active{$name} = $state;
}
my %failed_before = map { $_ => 1 } grep { $active{$_} eq 'failed' } keys %active;

sub changed {
    my ($name, $new) = @_;
    return if $name =~ /^(?:sysinit|basic|multi-user|graphical)\.target$/ || $name =~ /\.(?:slice|path|socket|device|scope)$/;
    if ($name =~ /\.mount$/) { $reload{$name} = 1; return }
    if (yes($new, 'Service.X-ReloadIfChanged', 'no')) { $reload{$name} = 1 }
    elsif (!yes($new, 'Service.X-RestartIfChanged', 'yes') || yes($new, 'Unit.RefuseManualStop', 'no')
        || yes($new, 'Unit.X-OnlyManualStart', 'no')) { $skip{$name} = 1 }
    elsif (!yes($new, 'Service.X-StopIfChanged', 'yes')) { $restart{$name} = 1 }
    else {
        # What a socket has started is started by it again.
        my @sockets = grep { ($active{$_} // '') eq 'active' } split ' ', setting($new, 'Service.Sockets', $name =~ s/\.service$/.socket/r);
        $stop{$_} = 1 for $name, @sockets;
        $start{$_} = 1 for @sockets ? grep({ -e "$new_units/$_" } @sockets) : $name;
    }
}

for my $name (sort keys %active) {
    next unless $active{$name} =~ /^(?:active|activating)$/;
    my $old = unit($old_units, $name);
    my $new = unit($new_units, $name);
    next unless defined $old;
    if (!defined $new) {
        $stop{$name} = 1 if yes($old, 'Unit.X-StopOnRemoval', 'yes');
    }
    elsif ($name =~ /\.target$/) {
        next if yes($new, 'Unit.RefuseManualStart', 'no') || yes($new, 'Unit.X-OnlyManualStart', 'no');
        # Whatever a target has come to want.
        $start{$name} = 1 unless $name =~ /^(?:suspend|hibernate|hybrid-sleep|suspend-then-hibernate)\.target$/;
        $stop{$name} = 1 if yes($new, 'Unit.X-StopOnReconfiguration', 'no');
    }
    elsif (text($old, '') ne text($new, '')) {
        if (text($old, 'Unit.X-Reload-Triggers') eq text($new, 'Unit.X-Reload-Triggers')) {
            $reload{$name} = 1 if setting($new, 'Unit.X-Reload-Triggers', '') ne '';
        }
        else { changed($name, $new) }
    }
}

# File systems that are declared in another way, or no more, are not remounted here: a lab declares none.

sub manager { my ($folder) = @_; my $text = ''; for (sort glob "$folder/etc/systemd/system.conf $folder/etc/systemd/system.conf.d/*") { open my $f, '<', $_ or next; local $/; $text .= <$f> } return $text }
my $reexecute = manager('') ne manager($out)
    || (readlink('/run/current-system/systemd') // '') ne (readlink("$out/systemd") // '');

sub say_units { my ($what, $units) = @_; my @units = sort grep { !/\.target$/ } keys %$units; print STDERR "$what: ", join(', ', @units), "\n" if @units }
my $would = $dry ? 'would ' : '';
say_units($dry ? 'would stop the following units' : 'stopping the following units', \%stop);
say_units($dry ? 'would NOT restart the following changed units' : 'NOT restarting the following changed units', \%skip);
if ($dry) {
    run("$out/dry-activate", $out) if -x "$out/dry-activate";
    print STDERR "would restart systemd\n" if $reexecute;
    say_units('would reload the following units', \%reload);
    say_units('would restart the following units', \%restart);
    say_units('would start the following units', \%start);
    exit 0;
}

# --- and happens

# With their old definitions, which are about to go.
run('systemctl', 'stop', sort keys %stop) if %stop;

my $result = 0;
print STDERR "activating the configuration...\n";
run("$out/activate", $out) or $result = 2;

# Scripts of the activation may have named units.
sub listed { my ($file, $units) = @_; open my $lines, '<', $file or return; chomp(my @names = <$lines>); $units->{$_} = 1 for grep { /\S/ } @names; unlink $file }
listed('/run/nixos/activation-restart-list', \%restart);
listed('/run/nixos/activation-reload-list', \%reload);

if ($reexecute) {
    print STDERR "restarting systemd...\n";
    run('systemctl', 'daemon-reexec') or $result = 2;
}
else { run('systemctl', 'daemon-reload') or $result = 3 }
run('systemctl', 'reset-failed', grep { $active{$_} eq 'failed' && $start{$_} } keys %active) if grep { $start{$_} && $active{$_} eq 'failed' } keys %active;
# Rules of tmpfiles, sysctl and their like, where the new system has a unit for them.
run('systemctl', 'restart', 'sysinit-reactivation.target') or $result = 4 if -e "$new_units/sysinit-reactivation.target";

delete @reload{ keys %restart, keys %start };
if (%reload) {
    say_units('reloading the following units', \%reload);
    run('systemctl', 'reload-or-restart', sort keys %reload) or $result = 4;
}
if (%restart) {
    say_units('restarting the following units', \%restart);
    run('systemctl', 'restart', sort keys %restart) or $result = 4;
}
$start{'default.target'} = 1;
say_units('starting the following units', { map { $_ => 1 } grep { $stop{$_} || !defined $active{$_} } keys %start });
run('systemctl', 'start', sort keys %start) or $result = 4;

# A service of Type=simple is started before it fails: what counts is the state afterwards. What had failed before and was not
# touched is not this switch's doing.
my @failed;
for (split /\n/, qx($systemd/systemctl list-units --state=failed --plain --no-legend --no-pager)) {
    my ($name) = split;
    push @failed, $name unless $failed_before{$name} && !$start{$name} && !$restart{$name} && !$reload{$name};
}
if (@failed) {
    print STDERR "warning: the following units failed: ", join(', ', @failed), "\n";
    run('systemctl', 'status', '--no-pager', '--full', @failed);
    $result = 4;
}
exit $result;
