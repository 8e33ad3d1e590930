<?php
// Tries phpredis or predis, whose name is the argument.
require __DIR__ . '/step.php';
$which = $argv[1];
$k = fn(string $s) => "$which:$s";
if ($which === 'predis') {
    require '/usr/share/php/Predis/autoload.php';
    $c = new Predis\Client(['host' => $host, 'port' => $port]);
    echo 'version: ', Predis\Client::VERSION, "\n";
    $connect = fn() => $c->connect();
} else {
    $c = new Redis();
    echo 'version: ', phpversion('redis'), "\n";
    $connect = fn() => $c->connect($host, $port);
}

step('connect', function () use ($c, $connect) {
    $connect();
    check((bool) $c->set(START, '1'), 'SET');
});
step('handshake', fn() => check((bool) $c->ping(), 'PING'));
step('binary', function () use ($c, $k) {
    $c->set($k('b'), value());
    check($c->get($k('b')) === value(), 'another value came back');
});
step('pipeline', function () use ($c, $k, $which) {
    $p = $which === 'predis' ? $c->pipeline() : $c->multi(Redis::PIPELINE);
    for ($i = 0; $i < N / 2; $i++) {
        $p->set($k("p$i"), $i);
        $p->get($k("p$i"));
    }
    $replies = $which === 'predis' ? $p->execute() : $p->exec();
    for ($i = 0; $i < N / 2; $i++) {
        check($replies[2 * $i + 1] === (string) $i, "reply $i");
    }
});
step('expiry', function () use ($c, $k) {
    $c->setex($k('e'), 100, 'v');
    $ttl = $c->ttl($k('e'));
    check($ttl > 90 && $ttl <= 100, "TTL $ttl");
    $c->pexpire($k('e'), 20);
    usleep(100000);
    check(!$c->exists($k('e')), 'it is still there');
});
step('counters', function () use ($c, $k) {
    $c->del($k('c'));
    $c->incr($k('c'));
    $c->incrby($k('c'), 41);
    check($c->decr($k('c')) === 41, 'counted wrong');
});
step('hashes', function () use ($c, $k) {
    $c->hmset($k('h'), ['f' => 'v', 'g' => 'w']);
    check($c->hgetall($k('h')) == ['f' => 'v', 'g' => 'w'], 'another hash');
});
step('scan', function () use ($c, $k, $which) {
    $fields = [];
    for ($i = 0; $i < N; $i++) {
        $fields["f$i"] = $i;
    }
    $c->hmset($k('hs'), $fields);
    $seen = [];
    if ($which === 'predis') {
        foreach (new Predis\Collection\Iterator\HashKey($c, $k('hs')) as $f => $v) {
            $seen[$f] = $v;
        }
    } else {
        $cursor = null;
        while (($page = $c->hscan($k('hs'), $cursor)) !== false) {
            $seen += $page;
            if ($cursor === 0) {
                break;
            }
        }
    }
    check(count($seen) === N, 'saw ' . count($seen));
});
restart();
step('reconnect', fn() => again(function () use ($c, $k) {
    check((bool) $c->set($k('r'), '1'), 'SET');
}));
finish();
