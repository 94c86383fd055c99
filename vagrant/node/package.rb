# The Debian package that the machines install, and the folder that is uploaded to them.
require 'fileutils'

module PlaitTestbed
  module Package
    TOP = File.expand_path('../..', __dir__)
    GUEST = File.join(__dir__, 'guest')
    COMPARE = File.expand_path('../compare.sh', __dir__)
    UPLOAD = File.join(TOP, 'dist', 'vagrant', 'upload')
    # What the package is made of; whatever was touched since it was made makes it stale.
    SOURCES = %w[package.json package-lock.json tsconfig.json bpf src addon].freeze
    GENERATED = %r{/(?:node_modules|dist|build)/}.freeze
    LOCK = Mutex.new

    # Vagrant wants to see the folder when it checks the configuration, which is before it is filled.
    def self.upload
      FileUtils.mkdir_p(UPLOAD)
      UPLOAD
    end

    # Machines come up in parallel, and each asks for it: once for all of them, since an upload may be under way.
    def self.stage(settings, ui)
      LOCK.synchronize do
        next if @staged

        package = settings.package || current || build(ui)
        FileUtils.rm_rf(Dir.children(upload).map { |name| File.join(UPLOAD, name) })
        FileUtils.cp(Dir[File.join(GUEST, '*')] + [COMPARE], UPLOAD)
        FileUtils.cp(package, File.join(UPLOAD, 'plait.deb'))
        @staged = true
      end
    end

    def self.current
      package = Dir[File.join(TOP, 'dist', 'package', 'plait_*_amd64.deb')].max_by { |path| File.mtime(path) }
      package if package && File.mtime(package) >= newest_source
    end

    def self.newest_source
      files = SOURCES.flat_map { |name| Dir[File.join(TOP, name), File.join(TOP, name, '**', '*')] }
      files.reject { |path| "#{path}/".match?(GENERATED) || !File.file?(path) }.map { |path| File.mtime(path) }.max
    end

    def self.build(ui)
      unless builds_here?
        raise WrongSetting, 'The package dist/package/plait_<version>_amd64.deb is missing or older than the sources, and this ' \
                            "host cannot build it.\nPrepare it (Debian, amd64: sudo vagrant/provision.sh), or name a package " \
                            'that was built elsewhere: PLAIT_DEB=FILE.'
      end
      ui.info('Making the Debian package of Plait: npm run pack')
      done = system('npm', 'run', '-s', 'pack', chdir: TOP, out: :err)
      raise WrongSetting, 'npm run pack failed, see above (vagrant/provision.sh prepares this host for it).' unless done && current

      current
    end

    def self.builds_here?
      %w[npm clang dpkg-deb].all? { |tool| Vagrant::Util::Which.which(tool) } && RUBY_PLATFORM.include?('x86_64-linux')
    end
  end
end
