-- SPDX-License-Identifier: Apache-2.0
-- Sets the hits so far aside and returns them as {counts, lasts}, each {name, value, ...}; a second
-- call returns the same until they are deleted. KEYS: counts, lasts, counts aside, lasts aside.
if redis.call('EXISTS', KEYS[3]) == 0 and redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('RENAME', KEYS[1], KEYS[3])
  redis.call('DEL', KEYS[4])
  if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('RENAME', KEYS[2], KEYS[4]) end
end
return {redis.call('HGETALL', KEYS[3]), redis.call('HGETALL', KEYS[4])}
