# Tries dalli: with the argument meta over memcached's meta protocol, else as it is by default.
require_relative "step"
require "dalli"
puts "version: #{Dalli::VERSION}"
meta = ARGV[0] == "meta"
c = Dalli::Client.new("#{HOST}:#{PORT}", meta ? { protocol: :meta } : {})

step("connect") do
  check(c.set(START, "1"), "set returned false")
  check(c.get(START) == "1", "another value")
end
if meta
  step("handshake") { check(c.version.values.none?(&:nil?), "no version") }
  step("binary") do
    # What does not repeat; it compresses only when told to.
    value = Random.new(1).bytes((1 << 20) - 100)
    check(c.set("dalli:b", value), "set returned false")
    check(c.get("dalli:b") == value, "another value came back")
  end
  step("multiget") do
    keys = (0...N).map { |i| "dalli:m#{i}" }
    c.multi { keys.each_with_index { |k, i| c.set(k, i) } }
    got = c.get_multi(keys)
    check(keys.each_with_index.all? { |k, i| got[k] == i }, "got #{got.size}")
  end
  step("expiry") do
    c.set("dalli:e", "v", 100)
    check(c.get("dalli:e") == "v", "not there")
    check(c.touch("dalli:e", 1), "touch")
    sleep 2.2
    check(c.get("dalli:e").nil?, "it is still there")
  end
  step("counters") do
    c.delete("dalli:c")
    c.incr("dalli:c", 1, nil, 1)
    c.incr("dalli:c", 41)
    check(c.decr("dalli:c", 1) == 41, "counted wrong")
  end
  step("cas") do
    c.set("dalli:cas", "old")
    check(c.cas("dalli:cas") { |v| v + "er" }, "the first")
    lost = c.cas("dalli:cas") do |v|
      c.set("dalli:cas", "other")
      v + "est"
    end
    check(!lost && c.get("dalli:cas") == "other", "the second")
  end
  step("append") do
    c.delete("dalli:a")
    c.add("dalli:a", "a", nil, raw: true)
    c.append("dalli:a", "b")
    check(c.get("dalli:a", raw: true) == "ab", "another value")
  end
  restart
  step("reconnect") { again { check(c.set("dalli:r", "1"), "set returned false") } }
end
