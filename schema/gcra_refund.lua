-- SPDX-License-Identifier: Apache-2.0
-- Gives back what gcra.lua took for a message that was not accepted; same KEYS and ARGV. Never more
-- than a full budget, which is a budget without a key.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
for i, key in ipairs(KEYS) do
  local tat = tonumber(redis.call('GET', key) or 0) - tonumber(ARGV[3 * i]) * tonumber(ARGV[3 * i - 2])
  if tat <= now then
    redis.call('DEL', key)
  else
    redis.call('SET', key, string.format('%.0f', tat), 'PX', string.format('%.0f', math.ceil((tat - now) / 1000) + 1))
  end
end
return 0
