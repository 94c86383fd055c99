{
  "targets": [
    {
      "target_name": "bpf_ts_bindings",
      "sources": [
        "src/module.cc",
        "src/args.cc",
        "src/attach.cc",
        "src/clsact.cc",
        "src/qdisc.cc",
        "src/error.cc",
        "src/fd.cc",
        "src/kernel_link.cc",
        "src/link.cc",
        "src/map.cc",
        "src/map_batch.cc",
        "src/netns.cc",
        "src/object.cc",
        "src/object_edit.cc",
        "src/probe.cc",
        "src/program.cc",
        "src/ring_buffer.cc",
        "src/socket.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NAPI_CPP_EXCEPTIONS", "NODE_ADDON_API_CPP_EXCEPTIONS_ALL", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags_cc": ["-std=c++17", "-fexceptions", "-Wall", "-Wextra", "-Wno-unused-parameter", "-fvisibility=hidden"],
      "cflags!": ["-fno-exceptions"],
      "cflags_cc!": ["-fno-exceptions", "-std=gnu++17", "-std=gnu++20"],
      "libraries": ["-lbpf", "-lelf", "-lz"]
    }
  ]
}
