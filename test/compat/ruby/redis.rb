# Tries redis-rb; with the argument hiredis its connections in C.
require_relative "step"
require "redis"
require "hiredis" if ARGV[0] == "hiredis"
puts "version: #{Redis::VERSION}"
options = { host: HOST, port: PORT }
options[:driver] = :hiredis if ARGV[0] == "hiredis"
c = Redis.new(**options)

step("connect") { c.set(START, "1") }
step("handshake") { check(c.ping == "PONG", "no PONG") }
step("binary") do
  c.set("rb:b", VALUE)
  check(c.get("rb:b").b == VALUE, "another value came back")
end
step("pipeline") do
  replies = c.pipelined do |p|
    (N / 2).times do |i|
      p.set("rb:p#{i}", i)
      p.get("rb:p#{i}")
    end
  end
  (N / 2).times { |i| check(replies[2 * i + 1] == i.to_s, "reply #{i}") }
end
step("expiry") do
  c.set("rb:e", "v", ex: 100)
  check(c.ttl("rb:e").between?(91, 100), "TTL")
  c.pexpire("rb:e", 20)
  sleep 0.1
  check(c.get("rb:e").nil?, "it is still there")
end
step("counters") do
  c.del("rb:c")
  c.incr("rb:c")
  c.incrby("rb:c", 41)
  check(c.decr("rb:c") == 41, "counted wrong")
end
step("hashes") do
  c.hset("rb:h", "f" => "v", "g" => "w")
  check(c.hgetall("rb:h") == { "f" => "v", "g" => "w" }, "another hash")
end
step("scan") do
  c.hset("rb:hs", (0...N).to_h { |i| ["f#{i}", i] })
  check(c.hscan_each("rb:hs").to_h.size == N, "HSCAN")
  c.sadd("rb:s", (0...N).to_a)
  check(c.sscan_each("rb:s").to_a.uniq.size == N, "SSCAN")
end
restart
step("reconnect") { again { c.set("rb:r", "1") } }
