-- SPDX-License-Identifier: Apache-2.0
-- The sign of life of a milter or controller. KEYS[1]: its hash; KEYS[2]: the sorted set of all of them.
-- ARGV[1]: its id; ARGV[2]: milliseconds after which it counts as gone; then field, value, ...
-- Returns how many are alive, by the clock of Redis.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lifetime = tonumber(ARGV[2])
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], lifetime)
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - lifetime)
redis.call('PEXPIRE', KEYS[2], lifetime)
return redis.call('ZCARD', KEYS[2])
