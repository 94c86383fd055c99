// SPDX-License-Identifier: Apache-2.0
// What one JavaScript environment (the main thread or a worker) knows: its error class and its wrapped
// classes.
#pragma once

#include <napi.h>

struct AddonData {
  Napi::FunctionReference error;
  Napi::FunctionReference object;
  Napi::FunctionReference map;
  Napi::FunctionReference program;
  Napi::FunctionReference link;
  Napi::FunctionReference ring_buffer;
};

void InitObject(Napi::Env env, Napi::Object exports);
void InitMap(Napi::Env env, Napi::Object exports);
void InitProgram(Napi::Env env, Napi::Object exports);
void InitLink(Napi::Env env, Napi::Object exports);
void InitAttach(Napi::Env env, Napi::Object exports);
void InitRingBuffer(Napi::Env env, Napi::Object exports);
void InitProbe(Napi::Env env, Napi::Object exports);
void InitSocket(Napi::Env env, Napi::Object exports);
