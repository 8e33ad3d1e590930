# Tries Cache::Memcached, Cache::Memcached::Fast or Memcached::libmemcached.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use step;

my $class = shift @ARGV;
eval "require $class; 1" or die $@;
no strict 'refs';
print 'version: ', $class->VERSION, "\n";
my $k = lc $class;
$k =~ s/:/-/g;
my $fast = $class =~ /Fast/;
my $c = $class->new({ servers => ["$host:$port"] });

step connect => sub {
    check($c->set(START, 1), 'set');
    check($c->get(START) eq '1', 'get');
};
step handshake => sub {
    return check(values %{ $c->server_versions } == 1, 'no version') if $fast;
    check(defined $c->get(START), 'get');
};
step binary => sub {
    check($c->set("$k:b", VALUE), 'set');
    check($c->get("$k:b") eq VALUE, 'another value came back');
};
step multiget => sub {
    $c->set("$k:m$_", $_) for 0 .. N - 1;
    my $got = $c->get_multi(map { "$k:m$_" } 0 .. N - 1);
    check($got->{"$k:m$_"} eq $_, "key $_ of " . keys %$got) for 0 .. N - 1;
};
step expiry => sub {
    $c->set("$k:e", 'v', 100);
    check($c->get("$k:e") eq 'v', 'not there');
    $c->set("$k:e", 'v', 1);
    sleep 2.2;
    check(!defined $c->get("$k:e"), 'it is still there');
};
step counters => sub {
    $c->set("$k:c", 1);
    $c->incr("$k:c", 41);
    check($c->decr("$k:c", 1) == 41, 'counted wrong');
};
if ($fast) {
    step cas => sub {
        $c->set("$k:cas", 'old');
        my $token = $c->gets("$k:cas")->[0];
        check($c->cas("$k:cas", $token, 'new'), 'the first');
        check(!$c->cas("$k:cas", $token, 'newer'), 'the second');
    };
} else {
    none(cas => 'it has no such call');
}
step append => sub {
    $c->delete("$k:a");
    check($c->add("$k:a", 'a'), 'add');
    check($c->append("$k:a", 'b'), 'append');
    check($c->get("$k:a") eq 'ab', 'another value');
};
restart;
step reconnect => sub {
    again(sub { check($c->set("$k:r", 1), 'set') });
};
