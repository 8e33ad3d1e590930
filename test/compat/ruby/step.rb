# What the Ruby programs of the compatibility table have in common.
$stdout.sync = true
N = 1000
START = "compat:start"
VALUE = (0..255).map(&:chr).join.b * 4096
HOST, PORT = ARGV[-2], ARGV[-1].to_i
$failed = false

def step(name)
  yield
  puts "#{name}: ok"
rescue StandardError => e
  $failed = true
  puts "#{name}: FAIL #{e.class} #{e.message.gsub(/\s+/, ' ')}"
  exit 1 if name == "connect"
end

def check(ok, what)
  raise what unless ok
end

def restart
  puts "restart"
  $stdin.gets
end

# again repeats the block for some seconds until it succeeds.
def again
  finish = Time.now + 10
  begin
    yield
  rescue StandardError
    raise if Time.now > finish
    sleep 0.05
    retry
  end
end

at_exit { exit 1 if $failed }
