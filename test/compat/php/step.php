<?php
// What the PHP programs of the compatibility table have in common.
const N = 1000;
const START = 'compat:start';
[$host, $port] = [$argv[count($argv) - 2], (int) $argv[count($argv) - 1]];
$failed = false;
ini_set('display_errors', 'stderr');
ini_set('memory_limit', '512M');

function value(): string
{
    return str_repeat(implode('', array_map('chr', range(0, 255))), 4096);
}

function step(string $name, callable $f): void
{
    global $failed;
    try {
        $f();
        echo "$name: ok\n";
    } catch (Throwable $e) {
        $failed = true;
        echo "$name: FAIL ", preg_replace('/\s+/', ' ', $e->getMessage()), "\n";
        if ($name === 'connect') {
            exit(1);
        }
    }
}

function check(bool $ok, string $what): void
{
    if (!$ok) {
        throw new Exception($what);
    }
}

function restart(): void
{
    echo "restart\n";
    fgets(STDIN);
}

// again repeats f until it succeeds, for a time.
function again(callable $f, int $seconds = 10): void
{
    $end = microtime(true) + $seconds;
    while (true) {
        try {
            $f();
            return;
        } catch (Throwable $e) {
            if (microtime(true) > $end) {
                throw $e;
            }
            usleep(50000);
        }
    }
}

function finish(): void
{
    global $failed;
    exit($failed ? 1 : 0);
}
