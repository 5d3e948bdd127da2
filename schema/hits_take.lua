-- SPDX-License-Identifier: Apache-2.0
-- Sets the hits so far aside as one batch and returns {batch, counts, lasts}, the latter two {name, value,
-- ...}; a second call returns the same batch until it is forgotten (hits_forget.lua). {'', {}, {}}: none.
-- KEYS: counts, lasts, counts aside, lasts aside, name of the batch aside.
-- ARGV[1]: name of the batch, where this call makes one; ARGV[2]: lifetime of that name in ms.
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('DEL', KEYS[4], KEYS[5])
  if redis.call('EXISTS', KEYS[1]) == 0 then return {'', {}, {}} end
  redis.call('RENAME', KEYS[1], KEYS[3])
  if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('RENAME', KEYS[2], KEYS[4]) end
end
redis.call('SET', KEYS[5], ARGV[1], 'NX', 'PX', ARGV[2])
return {redis.call('GET', KEYS[5]), redis.call('HGETALL', KEYS[3]), redis.call('HGETALL', KEYS[4])}
