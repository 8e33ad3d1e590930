# Tries Redis or Redis::Fast, whose name is the argument. Both reconnect only when told to.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use step;

my $class = shift @ARGV;
eval "require $class; 1" or die $@;
no strict 'refs';
print 'version: ', $class->VERSION, "\n";
my $c;
my $k = lc $class;
$k =~ s/:/-/g;
step connect => sub {
    $c = $class->new(server => "$host:$port", reconnect => 10, every => 50_000);
    $c->set(START, 1);
};
step handshake => sub { check($c->ping eq 'PONG', 'no PONG') };
step binary => sub {
    $c->set("$k:b", VALUE);
    check($c->get("$k:b") eq VALUE, 'another value came back');
};
step pipeline => sub {
    my @got;
    for my $i (0 .. N / 2 - 1) {
        $c->set("$k:p$i", $i, sub { });
        $c->get("$k:p$i", sub { $got[$i] = $_[0] });
    }
    $c->wait_all_responses;
    check($got[$_] eq $_, "reply $_") for 0 .. N / 2 - 1;
};
step expiry => sub {
    $c->setex("$k:e", 100, 'v');
    my $ttl = $c->ttl("$k:e");
    check($ttl > 90 && $ttl <= 100, "TTL $ttl");
    $c->pexpire("$k:e", 20);
    sleep 0.1;
    check(!defined $c->get("$k:e"), 'it is still there');
};
step counters => sub {
    $c->del("$k:c");
    $c->incr("$k:c");
    $c->incrby("$k:c", 41);
    check($c->decr("$k:c") == 41, 'counted wrong');
};
step hashes => sub {
    $c->hmset("$k:h", f => 'v', g => 'w');
    my %h = $c->hgetall("$k:h");
    check(keys %h == 2 && $h{f} eq 'v' && $h{g} eq 'w', 'another hash');
};
step scan => sub {
    $c->sadd("$k:s", 0 .. N - 1);
    my ($cursor, %seen) = (0);
    do {
        my @page = $c->sscan("$k:s", $cursor);
        $cursor = $page[0];
        $seen{$_} = 1 for @{ $page[1] };
    } while ($cursor);
    check(keys %seen == N, 'saw ' . keys %seen);
};
restart;
step reconnect => sub {
    again(sub { $c->set("$k:r", 1) });
};
