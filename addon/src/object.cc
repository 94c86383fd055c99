// SPDX-License-Identifier: Apache-2.0
#include "object.h"

#include <bpf/bpf.h>

#include <cerrno>

#include "addon.h"
#include "args.h"
#include "error.h"
#include "map.h"
#include "program.h"

// Creating maps and verifying programs takes up to seconds, so it runs on libuv's pool. The object is held
// alive and refuses every call while it runs.
class LoadWorker : public Napi::AsyncWorker {
 public:
  LoadWorker(Napi::Env env, ObjectWrap* object, const Napi::Object& self)
      : Napi::AsyncWorker(env), deferred_(env), object_(object), self_(Napi::Persistent(self)) {}
  Napi::Promise Promise() const { return deferred_.Promise(); }

  void Execute() override {
    PrintCapture capture;
    outcome_.err = -bpf_object__load(object_->object_);
    outcome_.log = capture.Take();
  }

  void OnOK() override {
    const Napi::Env env = Env();
    Napi::HandleScope scope(env);
    object_->inner_maps_.clear();
    object_->state_ = outcome_.ok() ? ObjectWrap::State::kLoaded : ObjectWrap::State::kFailed;
    object_->ClaimDescriptors();
    if (outcome_.ok()) return deferred_.Resolve(env.Undefined());
    outcome_.cause = TellingLine(outcome_.log);
    deferred_.Reject(MakeError(env, "load object " + object_->name_, outcome_));
  }

  // Something was thrown in Execute(): no memory.
  void OnError(const Napi::Error&) override {
    outcome_ = Outcome::Errno(ENOMEM);
    OnOK();
  }

 private:
  Napi::Promise::Deferred deferred_;
  ObjectWrap* object_;
  Napi::ObjectReference self_;
  Outcome outcome_;
};

ObjectWrap::ObjectWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ObjectWrap>(info) {
  const Napi::Env env = info.Env();
  const std::string path = ToPath(info[0], "open object");
  const std::string op = "open object " + path;
  const auto pin_root = ToOptionalPath(info[1], op);
  bpf_object_open_opts opts{};
  opts.sz = sizeof(opts);
  if (pin_root) opts.pin_root_path = pin_root->c_str();
  PrintCapture capture;
  object_ = bpf_object__open_file(path.c_str(), &opts);
  if (!object_) {
    Outcome outcome = Outcome::Errno(errno);
    outcome.log = capture.Take();
    if (outcome.err != ENOENT) outcome.cause = TellingLine(outcome.log);
    Fail(env, op, outcome);
  }
  name_ = bpf_object__name(object_);
}

void ObjectWrap::Expect(Napi::Env env, State wanted, const std::string& op) const {
  if (state_ == wanted) return;
  switch (state_) {
    case State::kOpen:
      Fail(env, op, ENODATA, "the object is not loaded yet");
    case State::kLoading:
      Fail(env, op, EBUSY, "the object is being loaded");
    case State::kLoaded:
      Fail(env, op, EALREADY, "the object is loaded already");
    case State::kFailed:
      Fail(env, op, EINVAL, "the object failed to load");
    case State::kClosed:
      Fail(env, op, EBADF, "the object is closed");
  }
}

std::string ObjectWrap::MapName(const bpf_map* map) {
  const std::string name = bpf_map__name(map);
  const size_t dot = name.find('.');
  return dot == std::string::npos ? name : name.substr(dot);
}

bpf_map* ObjectWrap::FindMap(const Napi::Value& name, const std::string& op) const {
  const std::string wanted = ToString(name, op, "map name");
  bpf_map* map;
  bpf_object__for_each_map(map, object_) {
    if (MapName(map) == wanted) return map;
  }
  Fail(name.Env(), op, ENOENT, "no map " + wanted);
}

bpf_program* ObjectWrap::FindProgram(const Napi::Value& name, const std::string& op) const {
  const std::string wanted = ToString(name, op, "program name");
  bpf_program* program = bpf_object__find_program_by_name(object_, wanted.c_str());
  if (!program) Fail(name.Env(), op, ENOENT, "no program " + wanted);
  return program;
}

Napi::Value ObjectWrap::Load(const Napi::CallbackInfo& info) {
  Expect(info.Env(), State::kOpen, "load object " + name_);
  auto* worker = new LoadWorker(info.Env(), this, info.This().As<Napi::Object>());
  const Napi::Promise promise = worker->Promise();
  state_ = State::kLoading;
  worker->Queue();
  return promise;
}

Napi::Value ObjectWrap::Map(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string op = "get map of object " + name_;
  Expect(env, State::kLoaded, op);
  Fd fd = Fd::Duplicate(bpf_map__fd(FindMap(info[0], op)));
  if (!fd.valid()) Fail(env, op, errno);
  return MapWrap::Make(env, std::move(fd), op);
}

Napi::Value ObjectWrap::Program(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string op = "get program of object " + name_;
  Expect(env, State::kLoaded, op);
  const int original = bpf_program__fd(FindProgram(info[0], op));
  if (original < 0) Fail(env, op, ENOENT, "the program was not loaded");
  Fd fd = Fd::Duplicate(original);
  if (!fd.valid()) Fail(env, op, errno);
  return ProgramWrap::Make(env, std::move(fd));
}

void ObjectWrap::ClaimDescriptors() const {
  bpf_map* map;
  bpf_object__for_each_map(map, object_) Fd::Claim(bpf_map__fd(map));
}

void ObjectWrap::Release() {
  PrintCapture capture;
  if (object_) bpf_object__close(object_);
  object_ = nullptr;
  inner_maps_.clear();
  state_ = State::kClosed;
}

void ObjectWrap::Close(const Napi::CallbackInfo& info) {
  if (state_ == State::kLoading)
    Fail(info.Env(), "close object " + name_, EBUSY, "the object is being loaded");
  Release();
}

Napi::Function ObjectWrap::Class(Napi::Env env) {
  return DefineClass(env, "NativeObject",
                     {
                         InstanceMethod<&ObjectWrap::Load>("load"),
                         InstanceMethod<&ObjectWrap::Map>("map"),
                         InstanceMethod<&ObjectWrap::Program>("program"),
                         InstanceMethod<&ObjectWrap::Close>("close"),
                         InstanceMethod<&ObjectWrap::Maps>("maps"),
                         InstanceMethod<&ObjectWrap::Programs>("programs"),
                         InstanceMethod<&ObjectWrap::Variables>("variables"),
                         InstanceMethod<&ObjectWrap::ReadData>("readData"),
                         InstanceMethod<&ObjectWrap::WriteData>("writeData"),
                         InstanceMethod<&ObjectWrap::SetMaxEntries>("setMaxEntries"),
                         InstanceMethod<&ObjectWrap::SetPinPath>("setPinPath"),
                         InstanceMethod<&ObjectWrap::SetInnerMap>("setInnerMap"),
                         InstanceMethod<&ObjectWrap::SetAutoload>("setAutoload"),
                     });
}

void InitObject(Napi::Env env, Napi::Object exports) {
  Napi::Function constructor = ObjectWrap::Class(env);
  env.GetInstanceData<AddonData>()->object = Napi::Persistent(constructor);
  exports.Set("NativeObject", constructor);
}
