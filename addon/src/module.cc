// SPDX-License-Identifier: Apache-2.0
// The native half of libbpf-ts-bindings. It checks every argument itself; lib/ gives it names, types and
// codecs.
#include <napi.h>

#include "addon.h"
#include "error.h"

namespace {

void SetErrorClass(const Napi::CallbackInfo& info) {
  if (!info[0].IsFunction()) throw Napi::TypeError::New(info.Env(), "set error class: not a class");
  info.Env().GetInstanceData<AddonData>()->error = Napi::Persistent(info[0].As<Napi::Function>());
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new AddonData());
  InstallPrintCapture();
  exports.Set("setErrorClass", Napi::Function::New(env, SetErrorClass));
  InitObject(env, exports);
  InitMap(env, exports);
  InitProgram(env, exports);
  InitLink(env, exports);
  InitAttach(env, exports);
  InitRingBuffer(env, exports);
  InitProbe(env, exports);
  InitSocket(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(bpf_ts_bindings, Init)
