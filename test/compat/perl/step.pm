# What the Perl programs of the compatibility table have in common.
package step;
use strict;
use warnings;
use Time::HiRes qw(time sleep);
use Exporter 'import';
our @EXPORT = qw(N START VALUE $host $port step none check restart again sleep);
use constant { N => 1000, START => 'compat:start' };
use constant VALUE => join('', map { chr } 0 .. 255) x 4096;
our ($host, $port) = @ARGV[-2, -1];
my $failed = 0;
$| = 1;

sub step {
    my ($name, $f) = @_;
    if (eval { $f->(); 1 }) {
        print "$name: ok\n";
        return;
    }
    $failed = 1;
    my $what = $@;
    $what =~ s/\s+/ /g;
    print "$name: FAIL $what\n";
    exit 1 if $name eq 'connect';
}

sub none { print "$_[0]: none $_[1]\n" }

sub check {
    my ($ok, $what) = @_;
    die "$what\n" unless $ok;
}

sub restart {
    print "restart\n";
    my $line = <STDIN>;
}

# again repeats f for some seconds until it succeeds.
sub again {
    my ($f) = @_;
    my $end = time + 10;
    until (eval { $f->(); 1 }) {
        die $@ if time > $end;
        sleep 0.05;
    }
}

END { $? ||= $failed }
1;
