{
  # keelson.node and the two static programs beside it (build/Release/{keelson.node,pause,shim}).
  # Node's common.gypi asks for gnu++17 without exceptions and RTTI; a flag named in `cflags_cc!` stays removed even when
  # it is added again, so gnu++20 must not be listed there.
  'targets': [
    {
      'target_name': 'keelson',
      'sources': ['<!@(node scripts/build-native.mjs --sources addon)'],
      'include_dirs': ['<!(node -p "require(\'node-addon-api\').include_dir")'],
      'defines': ['NAPI_VERSION=9', 'NODE_ADDON_API_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED', '_GNU_SOURCE'],
      'cflags!': ['-fno-exceptions'],
      'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17'],
      'cflags_cc': [
        '-std=gnu++20', '-fexceptions', '-fPIC', '-O2', '-Wall', '-Wextra', '-Werror',
        '-fstack-protector-strong', '-U_FORTIFY_SOURCE', '-D_FORTIFY_SOURCE=2', '-fvisibility=hidden',
      ],
      'ldflags': ['-Wl,-z,relro,-z,now'],
    },
    {
      'target_name': 'programs',
      'type': 'none',
      'actions': [
        {
          'action_name': 'pause',
          'inputs': ['<!@(node scripts/build-native.mjs --sources pause)', 'scripts/build-native.mjs'],
          'outputs': ['<(PRODUCT_DIR)/pause'],
          'action': ['node', 'scripts/build-native.mjs', '--program', 'pause', '<(PRODUCT_DIR)/pause'],
        },
        {
          'action_name': 'shim',
          'inputs': ['<!@(node scripts/build-native.mjs --sources shim)', 'scripts/build-native.mjs'],
          'outputs': ['<(PRODUCT_DIR)/shim'],
          'action': ['node', 'scripts/build-native.mjs', '--program', 'shim', '<(PRODUCT_DIR)/shim'],
        },
      ],
    },
  ],
}
