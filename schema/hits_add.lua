-- SPDX-License-Identifier: Apache-2.0
-- Adds hits. KEYS[1]: counts by name; KEYS[2]: time of the last hit by name, ms since 1970.
-- ARGV[1]: lifetime of both in ms; then name, count, last, name, ...
for i = 2, #ARGV, 3 do
  redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
  local last = redis.call('HGET', KEYS[2], ARGV[i])
  if not last or tonumber(last) < tonumber(ARGV[i + 2]) then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 2])
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return redis.status_reply('OK')
