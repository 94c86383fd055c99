// SPDX-License-Identifier: Apache-2.0
// A BPF ring buffer read on the event loop: libuv polls libbpf's epoll descriptor. The poll handle does not
// keep the process alive unless asked to. Handle and libbpf's reader live in a Poller of their own, because
// libuv closes handles later than JavaScript drops objects.
//
// The kernel's protocol knows one reader: a second one moves the position under the first, which then takes
// the middle of a record for a header. So this process reads a map once, and what cannot be a record ends the
// reading.
#include <bpf/libbpf.h>
#include <napi.h>
#include <uv.h>

#include <cerrno>
#include <mutex>
#include <set>

#include "addon.h"
#include "args.h"
#include "error.h"
#include "map.h"

namespace {

// Records per wake-up: a fast producer must not starve the rest of the event loop (the poll fires again).
constexpr int kBurst = 1024;

// Ids of the maps that are being read, by any thread of this process. Never destroyed: threads may outlive
// exit().
std::mutex& reading_mutex = *new std::mutex;
std::set<uint32_t>& reading = *new std::set<uint32_t>;

bool BeginReading(uint32_t map_id) {
  const std::lock_guard<std::mutex> lock(reading_mutex);
  return reading.insert(map_id).second;
}

void EndReading(uint32_t map_id) {
  const std::lock_guard<std::mutex> lock(reading_mutex);
  reading.erase(map_id);
}

struct Poller {
  uv_poll_t handle{};
  Poller** owner = nullptr;  // where the JavaScript object points here; either may go first
  ring_buffer* ring = nullptr;
  uint32_t map_id = 0;
  size_t capacity = 0;  // bytes
  std::string op;
  Napi::FunctionReference on_record;
  napi_env env = nullptr;
  napi_async_cleanup_hook_handle hook = nullptr;
  napi_async_context context = nullptr;
  int budget = 0;
  bool consuming = false;
  bool closing = false;
};

void Finish(Poller* poller) {
  if (!poller->ring) return;
  ring_buffer__free(poller->ring);
  poller->ring = nullptr;
  EndReading(poller->map_id);
}

void OnClosed(uv_handle_t* handle) {
  auto* poller = static_cast<Poller*>(handle->data);
  napi_async_cleanup_hook_handle hook = poller->hook;
  delete poller;
  if (hook) napi_remove_async_cleanup_hook(hook);
}

// Safe inside a record callback: libbpf's reader is freed after it has returned.
void Close(Poller* poller) {
  if (poller->closing) return;
  poller->closing = true;
  *poller->owner = nullptr;
  uv_poll_stop(&poller->handle);
  poller->on_record.Reset();
  if (poller->context) napi_async_destroy(poller->env, poller->context);
  poller->context = nullptr;
  if (!poller->consuming) Finish(poller);
  uv_close(reinterpret_cast<uv_handle_t*>(&poller->handle), OnClosed);
}

// What a callback throws, and what ends the reading behind everybody's back.
void Report(Poller* poller, napi_value error) {
  napi_fatal_exception(poller->env, error);
}

int RefuseRecord(Poller* poller) {
  const Napi::Env env(poller->env);
  try {
    const Napi::Value error = MakeError(
        env, poller->op, Outcome::Errno(EBADMSG, "no record where one should be: is there another reader?"));
    Close(poller);
    Report(poller, error);
  } catch (const Napi::Error&) {  // the thread is being terminated
  }
  return -ECANCELED;
}

int OnRecord(void* context, void* data, size_t size) {
  auto* poller = static_cast<Poller*>(context);
  if (poller->closing) return -ECANCELED;
  const Napi::Env env(poller->env);
  Napi::HandleScope scope(env);
  if (size > poller->capacity) return RefuseRecord(poller);
  napi_value record;
  // Fails in a thread that is being terminated. Nothing may be thrown here: the caller is C.
  if (napi_create_buffer_copy(env, size, data, nullptr, &record) != napi_ok) return -ECANCELED;
  napi_value function = poller->on_record.Value(), receiver = env.Global(), result;
  if (napi_make_callback(env, poller->context, receiver, function, 1, &record, &result) != napi_ok) {
    napi_value error;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) Report(poller, error);
  }
  if (poller->closing) return -ECANCELED;
  return --poller->budget > 0 ? 0 : -EAGAIN;
}

// Returns whether there may be more.
bool Consume(Poller* poller) {
  if (poller->closing || poller->consuming) return false;
  PrintCapture capture;
  poller->consuming = true;
  poller->budget = kBurst;
  const int result = ring_buffer__consume(poller->ring);
  poller->consuming = false;
  if (poller->closing) Finish(poller);
  return !poller->closing && result == -EAGAIN;
}

void OnReadable(uv_poll_t* handle, int, int) {
  auto* poller = static_cast<Poller*>(handle->data);
  const Napi::Env env(poller->env);
  Napi::HandleScope scope(env);
  Consume(poller);
}

void OnEnvironmentEnd(napi_async_cleanup_hook_handle, void* argument) {
  Close(static_cast<Poller*>(argument));
}

class RingBufferWrap : public Napi::ObjectWrap<RingBufferWrap> {
 public:
  explicit RingBufferWrap(const Napi::CallbackInfo& info);
  ~RingBufferWrap() override {
    if (poller_) Close(poller_);
  }
  static Napi::Function Class(Napi::Env env);

 private:
  void CloseMethod(const Napi::CallbackInfo&) { CloseOnce(); }
  void Flush(const Napi::CallbackInfo& info) {
    Poller* poller = Live(info.Env(), "flush ring buffer");
    while (poller_ && Consume(poller)) continue;
  }
  void KeepAlive(const Napi::CallbackInfo& info) {
    const std::string op = "set keep-alive of ring buffer";
    auto* handle = reinterpret_cast<uv_handle_t*>(&Live(info.Env(), op)->handle);
    if (ToBool(info[0], op, "keepAlive")) {
      uv_ref(handle);
    } else {
      uv_unref(handle);
    }
  }
  Poller* Live(Napi::Env env, const std::string& op) {
    if (!poller_) Fail(env, op, EBADF, "the ring buffer is closed");
    return poller_;
  }
  void CloseOnce() {
    if (!poller_) return;
    Close(poller_);
    Unref();
  }

  Poller* poller_ = nullptr;
};

// (map, onRecord)
RingBufferWrap::RingBufferWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<RingBufferWrap>(info) {
  const Napi::Env env = info.Env();
  std::string op = "read ring buffer";
  MapWrap* map = MapWrap::From(info[0], op, "map");
  if (map->info().name[0]) op += std::string(" ") + map->info().name;
  if (map->info().type != BPF_MAP_TYPE_RINGBUF) Fail(env, op, EINVAL, "the map is not a ringbuf");
  if (!info[1].IsFunction()) Fail(env, op, EINVAL, "onRecord is not a function");
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) Fail(env, op, ENOSYS, "there is no event loop");

  auto poller = std::make_unique<Poller>();
  poller->op = op;
  poller->map_id = map->info().id;
  poller->capacity = map->info().max_entries;
  const int map_fd = map->LiveFd(env, op);
  if (!BeginReading(poller->map_id)) Fail(env, op, EBUSY, "this process reads it already");
  PrintCapture capture;
  poller->ring = ring_buffer__new(map_fd, OnRecord, poller.get(), nullptr);
  if (!poller->ring) {
    const int err = errno;
    EndReading(poller->map_id);
    Fail(env, op, err);
  }
  poller->handle.data = poller.get();
  const int err = uv_poll_init(loop, &poller->handle, ring_buffer__epoll_fd(poller->ring));
  if (err < 0) {
    Finish(poller.get());
    Fail(env, op, -err);
  }
  poller->env = env;
  poller->on_record = Napi::Persistent(info[1].As<Napi::Function>());
  napi_async_init(env, nullptr, Napi::String::New(env, "bpf ring buffer"), &poller->context);
  napi_add_async_cleanup_hook(env, OnEnvironmentEnd, poller.get(), &poller->hook);
  uv_unref(reinterpret_cast<uv_handle_t*>(&poller->handle));
  uv_poll_start(&poller->handle, UV_READABLE, OnReadable);
  poller->owner = &poller_;
  poller_ = poller.release();
  Ref();  // until close(): a reader whose object nobody keeps goes on reading
}

Napi::Function RingBufferWrap::Class(Napi::Env env) {
  return DefineClass(env, "NativeRingBuffer",
                     {
                         InstanceMethod<&RingBufferWrap::CloseMethod>("close"),
                         InstanceMethod<&RingBufferWrap::Flush>("flush"),
                         InstanceMethod<&RingBufferWrap::KeepAlive>("keepAlive"),
                     });
}

}  // namespace

void InitRingBuffer(Napi::Env env, Napi::Object exports) {
  Napi::Function constructor = RingBufferWrap::Class(env);
  env.GetInstanceData<AddonData>()->ring_buffer = Napi::Persistent(constructor);
  exports.Set("NativeRingBuffer", constructor);
}
