package integration

// samples has every command that the proxy serves at least once; TestEveryServedCommandHasASample
// counts. They run in this order, each seeing what those before it left. Arguments have no spaces.
//
// Where the order of elements or the time decides, a comparison other than byte by byte follows "#",
// with the reason; comparisons has them. Sets and hashes are otherwise kept to numbers or one element.
const samples = `
SET {s}k hello
GET {s}k
get {s}missing
SETNX {s}k other
SETEX {s}e 1000 v
PSETEX {s}p 1000000 v
GETSET {s}k world
GETEX {s}k PERSIST
GETDEL {s}p
APPEND {s}k !
STRLEN {s}k
GETRANGE {s}k 1 3
SUBSTR {s}k 1 3
SETRANGE {s}k 2 XY
SET {s}n 10
INCR {s}n
INCRBY {s}n 5
INCRBYFLOAT {s}n 0.5
SET {s}n 10
DECR {s}n
DECRBY {s}n 3
INCR {s}k
SET {s}k2 yello
LCS {s}k {s}k2
MSET {a}1 x {b}2 y {c}3 z {a}4 w
MSET {a}1 x
MGET {a}1 {b}2 {missing} {c}3 {a}1
MGET {a}1
MSETNX {s}k3 v {s}k4 v
MSETNX {s}k3 v {s}k5 v
EXISTS {a}1 {b}2 {missing} {a}1
TOUCH {a}1 {b}2 {c}3 {missing}
UNLINK {a}1 {b}2 {missing}
DEL {c}3 {a}4 {missing}
TYPE {s}k
TYPE {s}missing
EXPIRE {s}k 1000
EXPIRE {s}k 2000 GT
TTL {s}k # near: time passes
PTTL {s}k # near: time passes
PEXPIRE {s}k 1000000
EXPIREAT {s}k 99999999999
EXPIRETIME {s}k
PEXPIREAT {s}k 99999999999999
PEXPIRETIME {s}k
PERSIST {s}k
COPY {s}k {s}copy
RENAME {s}copy {s}renamed
RENAMENX {s}renamed {s}k
DUMP {s}k
RESTORE {s}restored 0 DUMP-OF-V
GET {s}restored
RESTORE {s}restored 0 nonsense
MOVE {s}restored 1
OBJECT ENCODING {s}k
OBJECT REFCOUNT {s}k
OBJECT FREQ {s}k
OBJECT IDLETIME {s}k # near: time passes
MEMORY USAGE {s}k
RPUSH {s}sort 3 1 2
SORT {s}sort
SORT {s}sort DESC STORE {s}sorted
SORT_RO {s}sort LIMIT 0 2
SETBIT {s}bits 7 1
GETBIT {s}bits 7
BITCOUNT {s}bits
BITPOS {s}bits 1
BITFIELD {s}bits INCRBY u8 0 3
BITFIELD_RO {s}bits GET u8 0
BITOP NOT {s}bits2 {s}bits
PFADD {s}hll a b c
PFCOUNT {s}hll
PFADD {s}hll2 c d
PFMERGE {s}hll3 {s}hll {s}hll2
PFCOUNT {s}hll {s}hll2

HSET {h}h f 1
HSETNX {h}h f 2
HMSET {h}h f 1
HGET {h}h f
HMGET {h}h f g
HGETALL {h}h
HKEYS {h}h
HVALS {h}h
HLEN {h}h
HEXISTS {h}h f
HSTRLEN {h}h f
HINCRBY {h}h f 5
HINCRBYFLOAT {h}h f 1.5
HRANDFIELD {h}h
HSCAN {h}h 0
HEXPIRE {h}h 100 FIELDS 1 f
HPEXPIRE {h}h 100000 FIELDS 1 f
HEXPIREAT {h}h 99999999999 FIELDS 1 f
HPEXPIREAT {h}h 99999999999999 FIELDS 1 f
HTTL {h}h FIELDS 1 f # near: time passes
HPTTL {h}h FIELDS 1 f # near: time passes
HEXPIRETIME {h}h FIELDS 1 f
HPEXPIRETIME {h}h FIELDS 1 f
HPERSIST {h}h FIELDS 1 f
HGETEX {h}h FIELDS 1 f
HSETEX {h}h FIELDS 1 f v
HGETDEL {h}h FIELDS 1 g
HDEL {h}h f g
HSET {h}many b 2 a 1 c 3
HGETALL {h}many # any order: small hashes keep their order, others do not
LPUSH {h}h f

RPUSH {l}l a b c d e
LPUSH {l}l z
LPUSHX {l}l y
RPUSHX {l}l f
LLEN {l}l
LINDEX {l}l 0
LINSERT {l}l BEFORE a x
LRANGE {l}l 0 -1
LPOS {l}l a
LSET {l}l 0 first
LREM {l}l 1 x
LTRIM {l}l 0 5
LPOP {l}l
RPOP {l}l 2
LMOVE {l}l {l}m LEFT RIGHT
RPOPLPUSH {l}l {l}m
LMPOP 2 {l}none {l}m LEFT COUNT 2
GET {l}l
LRANGE {l}l 0 -1

SADD {t}a 1 2 3
SADD {t}b 2 3 4
SADD {t}one x
SCARD {t}a
SISMEMBER {t}a 1
SMISMEMBER {t}a 1 9
SMEMBERS {t}a
SDIFF {t}a {t}b
SDIFFSTORE {t}d {t}a {t}b
SINTER {t}a {t}b
SINTERCARD 2 {t}a {t}b
SINTERSTORE {t}i {t}a {t}b
SUNION {t}a {t}b
SUNIONSTORE {t}u {t}a {t}b
SMOVE {t}a {t}b 1
SRANDMEMBER {t}one
SSCAN {t}a 0
SADD {t}words one two three four
SMEMBERS {t}words # any order: each server has a hash seed of its own
SPOP {t}one
SREM {t}b 1 9

ZADD {z}a 1 a 2 b 3 c
ZADD {z}b 2 b 3 c 4 d
ZCARD {z}a
ZCOUNT {z}a 1 2
ZSCORE {z}a b
ZMSCORE {z}a a nobody
ZRANK {z}a b
ZREVRANK {z}a b
ZINCRBY {z}a 1.5 a
ZRANGE {z}a 0 -1 WITHSCORES
ZREVRANGE {z}a 0 -1
ZRANGEBYSCORE {z}a 2 3
ZREVRANGEBYSCORE {z}a 3 2
ZADD {z}lex 0 a 0 b 0 c 0 d
ZLEXCOUNT {z}lex - +
ZRANGEBYLEX {z}lex [b +
ZREVRANGEBYLEX {z}lex + [b
ZREMRANGEBYLEX {z}lex [a [a
ZRANGESTORE {z}st {z}a 0 1
ZDIFF 2 {z}a {z}b
ZDIFFSTORE {z}d 2 {z}a {z}b
ZINTER 2 {z}a {z}b WITHSCORES
ZINTERCARD 2 {z}a {z}b
ZINTERSTORE {z}i 2 {z}a {z}b
ZUNION 2 {z}a {z}b WEIGHTS 2 1 WITHSCORES
ZUNIONSTORE {z}u 2 {z}a {z}b
ZSCAN {z}a 0
ZMPOP 2 {z}none {z}d MIN
ZPOPMAX {z}u
ZPOPMIN {z}u 2
ZADD {z}one 1 x
ZRANDMEMBER {z}one
ZREM {z}a a nobody
ZREMRANGEBYRANK {z}b 0 0
ZREMRANGEBYSCORE {z}b 3 3

GEOADD {g}g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
GEODIST {g}g Palermo Catania km
GEOHASH {g}g Palermo Catania
GEOPOS {g}g Palermo nowhere
GEORADIUS {g}g 15 37 200 km ASC
GEORADIUS {g}g 15 37 200 km STORE {g}near
GEORADIUS_RO {g}g 15 37 200 km ASC
GEORADIUSBYMEMBER {g}g Palermo 200 km ASC
GEORADIUSBYMEMBER_RO {g}g Palermo 100 km
GEOSEARCH {g}g FROMLONLAT 15 37 BYRADIUS 200 km ASC
GEOSEARCHSTORE {g}st {g}g FROMMEMBER Palermo BYRADIUS 200 km

XADD {x}x 1-1 f v
XADD {x}x 2-1 f w g x
XADD {x}x 1-1 f v
XLEN {x}x
XRANGE {x}x - +
XREVRANGE {x}x + -
XREAD COUNT 1 STREAMS {x}x {x}none 0 0
XGROUP CREATE {x}x group 0
XGROUP CREATECONSUMER {x}x group idle
XREADGROUP GROUP group me COUNT 1 STREAMS {x}x >
XPENDING {x}x group
XCLAIM {x}x group other 0 1-1
XAUTOCLAIM {x}x group me 0 0 COUNT 10
XINFO STREAM {x}x
XINFO GROUPS {x}x
XINFO CONSUMERS {x}x group # near: time passes
XACK {x}x group 1-1
XGROUP SETID {x}x group 2-1
XGROUP DELCONSUMER {x}x group idle
XGROUP DESTROY {x}x group
XDEL {x}x 1-1
XTRIM {x}x MAXLEN 1
XSETID {x}x 5-0

EVAL return{KEYS[1],ARGV[1]} 1 {e}k arg
EVAL return{1,2,{3,'four'}} 0
EVAL return{err='MY'} 1 {e}k
EVAL return(function(t)for--[[]]i=1,5000--[[]]do--[[]]t={t,1}end--[[]]return--[[]]t--[[]]end)({}) 0
EVAL_RO return(redis.call('GET',KEYS[1])) 1 {s}k
EVALSHA 0000000000000000000000000000000000000000 1 {e}k
EVALSHA_RO 0000000000000000000000000000000000000000 0
FCALL echo 1 {e}k arg
FCALL_RO echo 1 {e}k arg

PING
PING hello
PING a b
ECHO hello
AUTH wrong # twemproxy: its text for a pool without a password
AUTH default any
AUTH nobody any
AUTH a b c
SELECT 0
SELECT 99
SELECT none
SELECT 00
SELECT +1
SELECT -0
SELECT -1
SELECT 2147483648
SELECT -2147483649
SELECT 9223372036854775808
HELLO # shape: versions and numbers are its own
HELLO 4
HELLO x
HELLO 03
HELLO -1
HELLO +3
HELLO -0
HELLO 9223372036854775808
HELLO 3 AUTH x
HELLO 3 NONSENSE
HELLO 3 AUTH nobody x
CLIENT GETNAME
CLIENT SETNAME me
CLIENT GETNAME
CLIENT ID # shape: each counts its own
CLIENT INFO # fields: numbers and addresses are its own
CLIENT LIST # fields: numbers and addresses are its own
CLIENT LIST TYPE pubsub
CLIENT LIST TYPE nonsense
CLIENT LIST ID x
CLIENT LIST NONSENSE
CLIENT KILL 1.2.3.4:5
CLIENT KILL ID 999999
CLIENT KILL ID x
CLIENT KILL TYPE nonsense
CLIENT KILL USER nobody
CLIENT KILL NONSENSE x
CLIENT SETINFO LIB-NAME lib # newer: Redis 7.2 has it
CLIENT NO-TOUCH ON # newer: Redis 7.2 has it
CLIENT NO-EVICT ON
CLIENT NO-EVICT OFF
CLIENT NO-EVICT x
CLIENT REPLY ON
CLIENT REPLY x
CLIENT PAUSE 1 WRITE
CLIENT PAUSE x
CLIENT PAUSE -1
CLIENT PAUSE 1 x
CLIENT PAUSE 1 WRITE x
CLIENT UNPAUSE
CLIENT UNBLOCK 999999
CLIENT UNBLOCK x
CLIENT UNBLOCK 1 x
CLIENT UNBLOCK 1 ERROR x
CLIENT GETREDIR
CLIENT TRACKINGINFO
CLIENT TRACKING OFF
CLIENT TRACKING OFF FOO
CLIENT TRACKING off BCAST noloop
CLIENT TRACKING OFF PREFIX
CLIENT UNBLOCK 01
CLIENT TRACKING x
CLIENT CACHING YES
CLIENT HELP # help: without what is not served
CLIENT
CLIENT NONSENSE
CLIENT SETNAME
COMMAND # any order: each server has a hash seed of its own
COMMAND COUNT
COMMAND DOCS get set
COMMAND GETKEYS MSET a b c d
COMMAND GETKEYSANDFLAGS MSET a b c d
COMMAND HELP
OBJECT HELP
XINFO HELP
XGROUP HELP
COMMAND INFO get nothing
COMMAND LIST FILTERBY PATTERN xread* # any order: each server has a hash seed of its own
LOLWUT
LOLWUT VERSION 99
INFO nothing
CONFIG GET save
CONFIG GET SAVE appendonly s?ve nonsense # any order: a table of its own
CONFIG GET nonsense
CONFIG GET
CONFIG HELP # help: without what is not served
CONFIG NONSENSE
CONFIG
ROLE
ACL WHOAMI
ACL HELP # help: without what is not served
ACL NONSENSE
ACL
READONLY
READWRITE
ASKING
CLUSTER ADDSLOTS 1
CLUSTER ADDSLOTSRANGE 1 2
CLUSTER BUMPEPOCH
CLUSTER COUNT-FAILURE-REPORTS 1
CLUSTER COUNTKEYSINSLOT 1
CLUSTER DELSLOTS 1
CLUSTER DELSLOTSRANGE 1 2
CLUSTER FAILOVER
CLUSTER FLUSHSLOTS
CLUSTER FORGET 1
CLUSTER GETKEYSINSLOT 1 2
CLUSTER HELP
CLUSTER INFO
CLUSTER KEYSLOT 1
CLUSTER LINKS
CLUSTER MEET 1 2
CLUSTER MYID
CLUSTER NODES
CLUSTER REPLICAS 1
CLUSTER REPLICATE 1
CLUSTER RESET
CLUSTER SAVECONFIG
CLUSTER SET-CONFIG-EPOCH 1
CLUSTER SETSLOT 1 2
CLUSTER SHARDS
CLUSTER SLAVES 1
CLUSTER SLOTS
CLUSTER MYSHARDID # no cluster: Redis 7.2 has it
CLUSTER NONSENSE
CLUSTER
INFO cluster
TIME # shape: time passes

nonsense
NONSENSE with arguments
GET
GET a b
SET {s}k
OBJECT
OBJECT NONSENSE {s}k
OBJECT ENCODING
XINFO NONSENSE
COMMAND NONSENSE
SET {s}k v NONSENSE
INCR {l}l
HGET {s}k f
RESET
QUIT
`

// samplesOfOne are those that only a pool of one server serves, which then is like the server itself.
const samplesOfOne = `
DBSIZE
KEYS {s}* # any order: each server has a hash seed of its own
SCAN 0 COUNT 10000 # any order: each server has a hash seed of its own
SCAN 0 MATCH {s}k COUNT 10000 TYPE string # any order: each server has a hash seed of its own
SCAN x
SCRIPT LOAD return{1,2}
SCRIPT EXISTS d0d2c4fa1c6b6ba6dbb3cfc8b3eb5ab0a6c4b4b9 x
SCRIPT KILL
SCRIPT FLUSH
SCRIPT HELP
SCRIPT
FUNCTION LIST
FUNCTION LIST LIBRARYNAME lib WITHCODE
FUNCTION STATS
FUNCTION DUMP
FUNCTION KILL
FUNCTION DELETE lib
FUNCTION LOAD nonsense
FUNCTION RESTORE nonsense
FUNCTION FLUSH
FUNCTION HELP
FUNCTION
PUBLISH channel hello
PUBSUB CHANNELS
PUBSUB NUMPAT
PUBSUB NUMSUB channel
PUBSUB SHARDCHANNELS
PUBSUB SHARDNUMSUB channel
PUBSUB HELP
PUBSUB
SWAPDB 0 1
DBSIZE
RANDOMKEY
SELECT 1
DBSIZE
FLUSHDB
DBSIZE
RANDOMKEY
SWAPDB 0 x
FLUSHALL SYNC
SELECT 0
DBSIZE
CLIENT INFO # fields: numbers and addresses are its own
QUIT
`
