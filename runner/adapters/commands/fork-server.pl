#!/usr/bin/perl
# Starts programs for the runner, because a small process forks in a fraction of the time that a large one needs.
#
# Role: forks, records, executes, hands output on, collects. Boundary: decides nothing. It never ends a command; signals
# come from the runner, which is told each command's pid. fork-server.ts is its other half.
#
# Frames, both ways: length of what follows (4 bytes, big-endian), type (1), id of the command (4), payload.
#   in   B  the environment of all commands from here on: entries KEY=VALUE, each ended by NUL
#        S  start: fields, each ended by NUL: working folder, record folder, rest of the record, number of changes to the
#           environment, these (KEY=VALUE, or KEY to remove it), arguments
#        D  drop: read no more of what this command prints
#   out  R  ready
#        P  started: pid (4)
#        U  it could not be put on record, and is to be ended: errno (4)
#        O  E  printed on stdout, on stderr: bytes
#        F  not started: errno (4)
#        X  ended: wait status (4), 1 if all it printed was handed over (1), 1 if its group still has members (1)
#        C  all it printed was handed over, after X
#
#  FS1. A command is put on record before anything is told of it; the record of one whose group is empty is removed
#       before its end is told.
#  FS2. Nothing starts once the runner has gone. What runs is left as it is: a later runner finds it on record.
#  FS3. It reads no output while the runner takes none, so that memory stays flat.
use 5.008;
use strict;
use warnings;
use Errno qw(EINTR EAGAIN ENOENT ENOSPC EPERM);
use Fcntl qw(F_SETFL O_NONBLOCK);
use POSIX ();

my $runner = getppid;
my $piece  = 65_536;
my $many   = 16;
my ($incoming, $outgoing, $watched) = ('', '', '');
my (%by_id, %by_pid, %by_fd, %refused);

open(my $nothing, '<', '/dev/null') or die;
pipe(my $refusals, my $refuse) or die;
unblock($refusals);
watch(fileno STDIN);
# Only to interrupt select: perl would not be woken by a signal that is ignored.
$SIG{CHLD} = sub { };

say_frame('R', 0, '');
while (1) {
    flush();
    my $ready = $watched;
    if (select($ready, undef, undef, patience()) > 0) {
        for my $fd (grep { vec($ready, $_, 1) } keys %by_fd) { hand_on($by_fd{$fd}, 1) if $by_fd{$fd} }
        obey() if vec($ready, fileno STDIN, 1);
    }
    collect();
}

# A child can end just before select begins to wait, so it never waits long while one runs: hardly at all where a
# command has closed both its outputs and is about to end.
sub patience {
    return undef unless %by_pid;
    my $ending = grep { !$_->{open} && $_->{looks}++ < 50 } values %by_pid;
    return $ending ? 0.001 : 0.05;
}

sub obey {
    my $read = sysread(STDIN, $incoming, $piece, length $incoming);
    return if !defined $read && ($! == EINTR || $! == EAGAIN);
    POSIX::_exit(0) unless $read;
    while (length $incoming >= 4) {
        my $length = unpack 'N', $incoming;
        last if length $incoming < 4 + $length;
        my ($type, $id) = unpack 'a1 N', substr($incoming, 4, 5);
        my $payload = substr($incoming, 9, $length - 5);
        substr($incoming, 0, 4 + $length, '');
        if    ($type eq 'S') { start($id, split(/\0/, $payload, -1)); flush() if collect() }
        elsif ($type eq 'B') { %ENV = map { /^([^=]+)=(.*)$/s ? ($1, $2) : () } split /\0/, $payload }
        elsif ($type eq 'D') { drop($by_id{$id}) if $by_id{$id} }
    }
}

sub start {
    my ($id, $folder, $records, $rest, $changes, @fields) = @_;
    POSIX::_exit(0) if getppid != $runner;
    pop @fields;
    my @changes = splice @fields, 0, $changes;
    # Here and not in the child, which would have to copy each page that it writes to.
    my %before = change(@changes);
    my ($stdout, $out, $stderr, $err);
    my $pid = pipe($stdout, $out) && pipe($stderr, $err) ? fork : undef;
    my $errno = $! + 0;
    become($folder, \@fields, $out, $err) if defined $pid && $pid == 0;
    restore(%before);
    return not_started($id, $errno) unless defined $pid;
    my $command = { id => $id, pid => $pid, open => 2, looks => 0, record => "$records/$pid.json" };
    for (['O', $stdout], ['E', $stderr]) {
        my ($type, $pipe) = @$_;
        unblock($pipe);
        watch(fileno $pipe);
        $by_fd{fileno $pipe} = { command => $command, type => $type, pipe => $pipe };
    }
    $by_id{$id} = $by_pid{$pid} = $command;
    say_frame('P', $id, pack 'N', $pid);
    record($command, $records, $rest) or say_frame('U', $id, pack 'N', $! + 0);
}

# The child's side: never returns. Until the program begins it is known by this process's first environment.
sub become {
    my ($folder, $argv, $out, $err) = @_;
    $SIG{CHLD} = 'DEFAULT';
    POSIX::setsid();
    POSIX::dup2(fileno $nothing, 0);
    POSIX::dup2(fileno $out, 1);
    POSIX::dup2(fileno $err, 2);
    no warnings;
    exec { $argv->[0] } @$argv if chdir $folder;
    # All children share one pipe for this; a line is short enough never to be torn.
    syswrite($refuse, pack 'N N', $$, $! + 0);
    POSIX::_exit(127);
}

sub change {
    my %before;
    for (@_) {
        my ($key, $value) = split /=/, $_, 2;
        $before{$key} = $ENV{$key};
        if (defined $value) { $ENV{$key} = $value } else { delete $ENV{$key} }
    }
    return %before;
}

sub restore {
    my %before = @_;
    for (keys %before) {
        if (defined $before{$_}) { $ENV{$_} = $before{$_} } else { delete $ENV{$_} }
    }
}

# children.ts reads it.
sub record {
    my ($command, $records, $rest) = @_;
    my $text = sprintf '{"pid":%d,"startTime":%s,%s', $command->{pid}, start_time($command->{pid}), $rest;
    my $fd = create($command->{record});
    unless (defined $fd) {
        return 0 unless $! == ENOENT;
        mkdir $records;
        $fd = create($command->{record});
        return 0 unless defined $fd;
    }
    my $written = POSIX::write($fd, $text, length $text);
    my $whole = defined $written && $written == length $text;
    my $errno = defined $written ? ENOSPC : $! + 0;
    POSIX::close($fd);
    $! = $errno unless $whole;
    return $whole;
}

sub create { POSIX::open($_[0], POSIX::O_WRONLY() | POSIX::O_CREAT() | POSIX::O_TRUNC(), 0666) }

# Executing a program does not change it.
sub start_time {
    my $fd = POSIX::open("/proc/$_[0]/stat", POSIX::O_RDONLY());
    return 'null' unless defined $fd;
    my $read = POSIX::read($fd, my $text, 4096);
    POSIX::close($fd);
    return 'null' unless $read;
    return (split / /, substr($text, rindex($text, ')') + 2), 21)[19];
}

# Hands on what there is, in at most so many pieces, and says whether the other side has closed.
sub hand_on {
    my ($stream, $pieces) = @_;
    for (1 .. $pieces) {
        my $read = sysread($stream->{pipe}, my $bytes, $piece);
        if (!defined $read) { next if $! == EINTR; return }
        if ($read == 0) { shut($stream); return }
        say_frame($stream->{type}, $stream->{command}{id}, $bytes);
        flush() if length $outgoing > $piece;
    }
}

sub shut {
    my ($stream) = @_;
    my $command = $stream->{command};
    forget_stream($stream);
    return if $command->{open} > 0 || !$command->{ended};
    delete $by_id{$command->{id}};
    say_frame('C', $command->{id}, '');
}

sub forget_stream {
    my ($stream) = @_;
    my $fd = fileno $stream->{pipe};
    vec($watched, $fd, 1) = 0;
    delete $by_fd{$fd};
    close $stream->{pipe};
    $stream->{command}{open}--;
}

sub drop {
    my ($command) = @_;
    forget_stream($_) for grep { $_->{command} == $command } values %by_fd;
    delete $by_id{$command->{id}};
}

sub collect {
    my $collected = 0;
    while (%by_pid) {
        my $pid = waitpid(-1, POSIX::WNOHANG());
        last if $pid <= 0;
        $collected++;
        my $status  = $?;
        my $command = delete $by_pid{$pid} or next;
        hand_on($_, $many) for grep { $_->{command} == $command } values %by_fd;
        $command->{ended} = 1;
        if ($status == 127 << 8 && defined(my $errno = refusal_of($pid))) {
            drop($command);
            unlink $command->{record};
            not_started($command->{id}, $errno);
            next;
        }
        my $left = kill(0, -$pid) || $! == EPERM ? 1 : 0;
        unlink $command->{record} unless $left;
        my $closed = $command->{open} ? 0 : 1;
        delete $by_id{$command->{id}} if $closed;
        say_frame('X', $command->{id}, pack 'N C C', $status, $closed, $left);
    }
    return $collected;
}

# It was written before the child ended.
sub refusal_of {
    my ($pid) = @_;
    while (sysread($refusals, my $bytes, 8 * 100)) {
        while (length $bytes) {
            my ($child, $errno) = unpack 'N N', substr($bytes, 0, 8, '');
            $refused{$child} = $errno;
        }
    }
    return delete $refused{$pid};
}

sub not_started {
    my ($id, $errno) = @_;
    say_frame('F', $id, pack 'N', $errno);
}

sub say_frame {
    my ($type, $id, $payload) = @_;
    $outgoing .= pack('N a1 N', 5 + length $payload, $type, $id) . $payload;
}

# When the runner has gone, SIGPIPE ends this process here.
sub flush {
    while (length $outgoing) {
        my $written = syswrite(STDOUT, $outgoing);
        if (defined $written) { substr($outgoing, 0, $written, '') }
        elsif ($! != EINTR) { POSIX::_exit(0) }
    }
}

sub watch { vec($watched, $_[0], 1) = 1 }

# A pipe's end has no other flags.
sub unblock { fcntl($_[0], F_SETFL, O_NONBLOCK) or die }
