// SPDX-License-Identifier: Apache-2.0
// Many elements per system call (since Linux 5.6). Where the kernel or the map type has no batch operation
// the same work is done one by one, so that callers need not know.
#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "error.h"
#include "map.h"

namespace {

constexpr uint32_t kChunk = 4096;            // elements at once, unless
constexpr size_t kChunkBytes = 1024 * 1024;  // their values are so large

using Store = std::vector<uint8_t>;

bool IsUnsupported(int err) {
  return err == 524 || err == EOPNOTSUPP || err == EINVAL;
}

struct Shape {
  int fd;
  size_t key;
  size_t value;
  uint32_t max_entries;

  // The walk through a trie starts over whenever the key it stands on is deleted. Where somebody deletes
  // faster than we read it has to end all the same.
  uint64_t most_visits() const { return uint64_t{max_entries} * 8 + kChunk; }
};

struct Listing {
  Store keys, values;
  uint32_t count = 0;
};

// A hash bucket is returned whole or not at all (ENOSPC), hence the growing chunk. Returns an errno.
int LookupByBatch(const Shape& shape, Listing& out) {
  Store position(std::max<size_t>(shape.key, sizeof(uint32_t)));
  const auto fitting = static_cast<uint32_t>(std::clamp<size_t>(kChunkBytes / shape.value, 16, kChunk));
  uint32_t chunk = std::max(1u, std::min(fitting, shape.max_entries));
  const uint32_t biggest = shape.max_entries + kChunk;  // elements in flight may exceed max_entries
  bool first = true;
  for (;;) {
    out.keys.resize((size_t{out.count} + chunk) * shape.key);
    out.values.resize((size_t{out.count} + chunk) * shape.value);
    uint32_t count = chunk;
    const int result = bpf_map_lookup_batch(shape.fd, first ? nullptr : position.data(), position.data(),
                                            &out.keys[out.count * shape.key],
                                            &out.values[out.count * shape.value], &count, nullptr);
    const int err = result < 0 ? errno : 0;
    if (err == ENOSPC && chunk < biggest) {
      chunk = static_cast<uint32_t>(std::min<uint64_t>(uint64_t{chunk} * 2, biggest));
      continue;
    }
    if (err != 0 && err != ENOENT) return err;
    out.count += count;
    first = false;
    if (err == ENOENT || out.count >= shape.most_visits()) return 0;
  }
}

int LookupOneByOne(const Shape& shape, Listing& out) {
  Store key(shape.key), next(shape.key), value(shape.value);
  bool first = true;
  out.keys.clear();
  out.values.clear();
  out.count = 0;
  for (uint64_t visits = 0; visits < shape.most_visits(); visits++) {
    if (bpf_map_get_next_key(shape.fd, first ? nullptr : key.data(), next.data()) < 0) {
      return errno == ENOENT ? 0 : errno;
    }
    first = false;
    key.swap(next);
    if (bpf_map_lookup_elem(shape.fd, key.data(), value.data()) < 0) {
      if (errno == ENOENT) continue;
      return errno;
    }
    out.keys.insert(out.keys.end(), key.begin(), key.end());
    out.values.insert(out.values.end(), value.begin(), value.end());
    out.count++;
  }
  return 0;
}

// Each key once, with the value that was read last: a walk that started over has seen keys twice.
Listing Distinct(const Shape& shape, const Listing& all) {
  std::unordered_map<std::string_view, uint32_t> place;
  Listing once;
  for (uint32_t i = 0; i < all.count; i++) {
    const uint8_t* key = &all.keys[i * shape.key];
    const uint8_t* value = &all.values[i * shape.value];
    const std::string_view name(reinterpret_cast<const char*>(key), shape.key);
    const auto [found, is_new] = place.emplace(name, once.count);
    if (!is_new) {
      memcpy(&once.values[found->second * shape.value], value, shape.value);
      continue;
    }
    once.keys.insert(once.keys.end(), key, key + shape.key);
    once.values.insert(once.values.end(), value, value + shape.value);
    once.count++;
  }
  return once;
}

std::string At(uint32_t index, uint32_t count) {
  return " (element " + std::to_string(index) + " of " + std::to_string(count) + ")";
}

}  // namespace

Napi::Value MapWrap::LookupAll(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string op = Op("list");
  const Shape shape{LiveFd(env, op), info_.key_size, ValueBytes(env, op), info_.max_entries};
  if (shape.key == 0 || shape.value == 0)
    Fail(env, op, EINVAL, "a " + MapTypeName(info_.type) + " has no entries");

  Listing listing;
  int err = LookupByBatch(shape, listing);
  // EINTR: too much was deleted meanwhile (before Linux 6.13).
  const bool one_by_one = IsUnsupported(err) || err == EINTR;
  if (one_by_one) err = LookupOneByOne(shape, listing);
  if (err != 0) Fail(env, op, err);
  if (one_by_one || info_.type == BPF_MAP_TYPE_LPM_TRIE) listing = Distinct(shape, listing);
  Napi::Object out = Napi::Object::New(env);
  out.Set("keys", Napi::Buffer<uint8_t>::Copy(env, listing.keys.data(), listing.count * shape.key));
  out.Set("values", Napi::Buffer<uint8_t>::Copy(env, listing.values.data(), listing.count * shape.value));
  out.Set("count", listing.count);
  return out;
}

Napi::Value MapWrap::UpdateBatch(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string op = Op("update");
  const int fd = LiveFd(env, op);
  const uint32_t total = ToU32(info[2], op, "count");
  const uint32_t flags = ToU32(info[3], op, "flags");
  const size_t value_bytes = ValueBytes(env, op);
  if (IsMapInMap(info_.type) || info_.type == BPF_MAP_TYPE_PROG_ARRAY) {
    Fail(env, op, EINVAL, "values are descriptors: update one by one");
  }
  const Bytes keys = ToBytes(info[0], size_t{total} * info_.key_size, op, "keys");
  const Bytes values = ToBytes(info[1], size_t{total} * value_bytes, op, "values");

  bpf_map_batch_opts opts{};
  opts.sz = sizeof(opts);
  opts.elem_flags = flags;
  bool batched = true;
  for (uint32_t done = 0; done < total;) {
    const uint8_t* key = keys.data + done * size_t{info_.key_size};
    const uint8_t* value = values.data + done * value_bytes;
    const uint32_t rest = total - done;
    if (batched) {
      uint32_t count = rest;
      const int err = bpf_map_update_batch(fd, key, value, &count, &opts) < 0 ? errno : 0;
      if (err == 0) break;
      const uint32_t finished = count < rest ? count : 0;  // untouched when the kernel did not begin
      batched = false;
      if (!IsUnsupported(err)) Fail(env, op, err, Describe(err) + At(done + finished, total));
      done += finished;
      continue;
    }
    if (bpf_map_update_elem(fd, key, value, flags) < 0) {
      const int err = errno;
      Fail(env, op, err, Describe(err) + At(done, total));
    }
    done++;
  }
  return Napi::Number::New(env, total);
}

Napi::Value MapWrap::DeleteBatch(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string op = Op("delete from");
  const int fd = LiveFd(env, op);
  const uint32_t total = ToU32(info[1], op, "count");
  const Bytes keys = ToBytes(info[0], size_t{total} * info_.key_size, op, "keys");

  uint32_t deleted = 0;
  bool batched = true;
  for (uint32_t done = 0; done < total;) {
    const uint8_t* key = keys.data + done * size_t{info_.key_size};
    uint32_t count = total - done;
    if (batched) {
      const int result = bpf_map_delete_batch(fd, key, &count, nullptr);
      const int err = result < 0 ? errno : 0;
      batched = !IsUnsupported(err);
      if (err != 0 && err != ENOENT && batched) {
        const uint32_t finished =
            count < total - done ? count : 0;  // untouched when the kernel did not begin
        Fail(env, op, err, Describe(err) + At(done + finished, total));
      }
      if (batched) {
        deleted += count;
        done += count + (err == ENOENT ? 1 : 0);  // a missing key ends the batch: step over it
        continue;
      }
    }
    const int err = bpf_map_delete_elem(fd, key) < 0 ? errno : 0;
    if (err != 0 && err != ENOENT) Fail(env, op, err, Describe(err) + At(done, total));
    deleted += err == 0;
    done++;
  }
  return Napi::Number::New(env, deleted);
}
