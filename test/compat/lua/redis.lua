-- Tries redis-lua. It does not reconnect by itself: the program connects again.
local redis = require("redis")
local socket = require("socket")
local host, port = arg[#arg - 1], tonumber(arg[#arg])
local N, failed = 1000, false
io.stdout:setvbuf("line")
print("version: " .. (redis._VERSION:match("[%d.]+") or "?"))

local function step(name, f)
  local ok, what = pcall(f)
  if ok then
    print(name .. ": ok")
    return
  end
  failed = true
  print(name .. ": FAIL " .. tostring(what):gsub("%s+", " "))
  if name == "connect" then os.exit(1) end
end

local c
local bytes = {}
for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
local value = table.concat(bytes):rep(4096)

step("connect", function()
  c = redis.connect(host, port)
  c:set("compat:start", 1)
end)
step("handshake", function() assert(c:ping()) end)
step("binary", function()
  c:set("lua:b", value)
  assert(c:get("lua:b") == value, "another value came back")
end)
step("pipeline", function()
  local replies = c:pipeline(function(p)
    for i = 1, N / 2 do
      p:set("lua:p" .. i, i)
      p:get("lua:p" .. i)
    end
  end)
  for i = 1, N / 2 do assert(replies[2 * i] == tostring(i), "reply " .. i) end
end)
step("expiry", function()
  c:setex("lua:e", 100, "v")
  local ttl = c:ttl("lua:e")
  assert(ttl > 90 and ttl <= 100, "TTL " .. ttl)
  c:pexpire("lua:e", 20)
  socket.sleep(0.1)
  assert(c:get("lua:e") == nil, "it is still there")
end)
step("counters", function()
  c:del("lua:c")
  c:incr("lua:c")
  c:incrby("lua:c", 41)
  assert(c:decr("lua:c") == 41, "counted wrong")
end)
step("hashes", function()
  c:hmset("lua:h", { f = "v", g = "w" })
  local h = c:hgetall("lua:h")
  assert(h.f == "v" and h.g == "w", "another hash")
end)
step("scan", function()
  local members = {}
  for i = 1, N do members[i] = "m" .. i end
  c:sadd("lua:s", unpack(members))
  local cursor, seen, n = "0", {}, 0
  repeat
    local page = c:sscan("lua:s", cursor)
    cursor = page[1]
    for _, m in ipairs(page[2]) do
      if not seen[m] then n = n + 1 end
      seen[m] = true
    end
  until tostring(cursor) == "0"
  assert(n == N, "saw " .. n)
end)
print("restart")
io.read()
step("reconnect", function()
  local finish = socket.gettime() + 10
  while true do
    local ok, what = pcall(function()
      c = redis.connect(host, port)
      c:set("lua:r", 1)
    end)
    if ok then return end
    if socket.gettime() > finish then error(what) end
    socket.sleep(0.05)
  end
end)
os.exit(failed and 1 or 0)
