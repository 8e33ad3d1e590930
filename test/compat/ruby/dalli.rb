# Tries dalli, which speaks memcached's binary protocol until its version 3.2.
require_relative "step"
require "dalli"
puts "version: #{Dalli::VERSION}"
c = Dalli::Client.new("#{HOST}:#{PORT}")

step("connect") do
  check(c.set(START, "1"), "set returned false")
  check(c.get(START) == "1", "another value")
end
restart
step("reconnect") { again { check(c.set("dalli:r", "1"), "set returned false") } }
