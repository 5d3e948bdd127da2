-- SPDX-License-Identifier: Apache-2.0
-- Charges several budgets, all or none, by the clock of Redis. The arithmetic is that of
-- policy/rate_limit.h.
-- KEYS[i]: the budget (its value is the theoretical arrival time in microseconds).
-- ARGV[3i-2], ARGV[3i-1], ARGV[3i]: interval in microseconds, burst, units.
-- Returns {0} if all were charged, else {i, wait}: budget i refused, and nothing was charged; wait in
-- microseconds until it would conform, -1: never.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local tats = {}
for i, key in ipairs(KEYS) do
  local interval, burst, units = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local tat = tats[key] or tonumber(redis.call('GET', key) or 0)
  local next_tat = math.max(tat, now) + units * interval
  if units > burst then return {i, -1} end
  local wait = next_tat - burst * interval - now
  if wait > 0 then return {i, wait} end
  tats[key] = next_tat
end
for key, tat in pairs(tats) do
  -- A budget that is full again needs no key.
  redis.call('SET', key, string.format('%.0f', tat), 'PX', string.format('%.0f', math.ceil((tat - now) / 1000) + 1))
end
return {0}
