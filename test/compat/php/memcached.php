<?php
// Tries php-memcached, which is made of libmemcached, or php-memcache.
require __DIR__ . '/step.php';
$which = $argv[1];
$k = fn(string $s) => "php-$which:$s";
echo 'version: ', phpversion($which), "\n";
$libmemcached = $which === 'memcached';
$c = $libmemcached ? new Memcached() : new Memcache();
$c->addServer($host, $port);
$set = fn(string $key, $v, int $s = 0) => check($libmemcached ? $c->set($key, $v, $s) : $c->set($key, $v, 0, $s), 'set returned false');

step('connect', function () use ($c, $set) {
    $set(START, '1');
    check($c->get(START) === '1', 'get');
});
step('handshake', function () use ($c) {
    $v = (array) $c->getVersion();
    check((bool) reset($v) && !str_starts_with(reset($v), '255'), 'version ' . reset($v));
});
step('binary', function () use ($c, $k, $set) {
    // Compressed it would be small. What does not repeat is sent as it is.
    mt_srand(1);
    $v = '';
    for ($i = 0; $i < 1 << 18; $i++) {
        $v .= pack('V', mt_rand());
    }
    $set($k('b'), $v);
    check($c->get($k('b')) === $v, 'another value came back');
});
step('multiget', function () use ($c, $k, $set, $libmemcached) {
    $all = [];
    for ($i = 0; $i < N; $i++) {
        $all[$k("m$i")] = (string) $i;
    }
    if ($libmemcached) {
        check($c->setMulti($all), 'setMulti');
    } else {
        foreach ($all as $key => $v) {
            $set($key, $v);
        }
    }
    $got = $libmemcached ? $c->getMulti(array_keys($all)) : $c->get(array_keys($all));
    check($got == $all, 'got ' . count((array) $got));
});
step('expiry', function () use ($c, $k, $set, $libmemcached) {
    $set($k('e'), 'v', 100);
    check($c->get($k('e')) === 'v', 'not there');
    $libmemcached ? check($c->touch($k('e'), 1), 'touch') : $set($k('e'), 'v', 1);
    usleep(2200000);
    check($c->get($k('e')) === false, 'it is still there');
});
step('counters', function () use ($c, $k, $set) {
    $set($k('c'), 1);
    $c->increment($k('c'), 41);
    check($c->decrement($k('c'), 1) === 41, 'counted wrong');
});
step('cas', function () use ($c, $k, $set, $libmemcached) {
    $set($k('cas'), 'old');
    if ($libmemcached) {
        $token = $c->get($k('cas'), null, Memcached::GET_EXTENDED)['cas'];
        check($c->cas($token, $k('cas'), 'new'), 'the first');
        check(!$c->cas($token, $k('cas'), 'newer'), 'the second');
    } else {
        $c->get($k('cas'), $flags, $token);
        check($c->cas($k('cas'), 'new', 0, 0, $token), 'the first');
        check(!$c->cas($k('cas'), 'newer', 0, 0, $token), 'the second');
    }
});
step('append', function () use ($c, $k, $libmemcached) {
    if ($libmemcached) {
        // Compressed values cannot be appended to.
        $c->setOption(Memcached::OPT_COMPRESSION, false);
    }
    $c->delete($k('a'));
    check($c->add($k('a'), 'a'), 'add');
    check($c->append($k('a'), 'b'), 'append');
    check($c->get($k('a')) === 'ab', 'another value');
});
restart();
// php-memcache leaves a server alone for 15 seconds after a failure.
step('reconnect', fn() => again(fn() => $set($k('r'), '1'), 20));
finish();
