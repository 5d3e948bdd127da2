-- SPDX-License-Identifier: Apache-2.0
-- The batch of hits ARGV[1] is in the store: removes it, unless another one was set aside meanwhile.
-- KEYS: counts aside, lasts aside, name of the batch aside. Returns 1 if it was there.
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return 1
