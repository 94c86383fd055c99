# What the operator asked for, by environment variables (listed in the Vagrantfile), checked.
module PlaitTestbed
  class WrongSetting < Vagrant::Errors::VagrantError
    attr_reader :error_message

    def initialize(message)
      @error_message = message
      super()
    end
  end

  class Settings
    DRIVERS = %w[kvm qemu virtualbox].freeze
    # Three numbers before the machine's own; .1 is the host, .11 the first machine.
    UNDERLAY = %r{\A((?:\d{1,3}\.){3})0/24\z}.freeze
    FIRST_ADDRESS = 11
    MAX_NODES = 64

    # package: the operator's own, or nil.
    attr_reader :driver, :nodes, :box, :cpus, :memory, :queues, :package

    def self.read(env)
      new(env)
    end

    def initialize(env)
      @env = env
      @driver = choice('PLAIT_DRIVER', DRIVERS) || Settings.default_driver
      @nodes = number('PLAIT_NODES', 1..MAX_NODES, 3)
      @cpus = number('PLAIT_CPUS', 1..64, emulated? ? 1 : 2)
      @memory = number('PLAIT_MEMORY', 512..262_144, emulated? ? 700 : 1024)
      @queues = number('PLAIT_QUEUES', 1..256, 2 * @cpus)
      @docker = choice('PLAIT_DOCKER', %w[0 1]) == '1'
      @underlay = underlay_prefix
      @package = file('PLAIT_DEB')
      @box = text('PLAIT_BOX') || (emulated? ? 'plait/bookworm' : 'debian/bookworm64')
    end

    # KVM where it answers (the device alone says nothing), else VirtualBox where it is installed, else emulation.
    def self.default_driver
      libvirt = Vagrant.has_plugin?('vagrant-libvirt')
      return 'kvm' if libvirt && kvm?
      return 'virtualbox' if !libvirt || Vagrant::Util::Which.which('VBoxManage')

      'qemu'
    end

    KVM_GET_API_VERSION = 0xAE00

    def self.kvm?
      File.open('/dev/kvm', 'r+') { |kvm| kvm.ioctl(KVM_GET_API_VERSION) == 12 }
    rescue SystemCallError
      false
    end

    def provider
      @driver == 'virtualbox' ? 'virtualbox' : 'libvirt'
    end

    def emulated?
      @driver == 'qemu'
    end

    def address(number)
      "#{@underlay}#{FIRST_ADDRESS + number - 1}"
    end

    # Environment of the provisioning inside machine `number`.
    def guest(number)
      hosts = (1..@nodes).map { |other| "#{address(other)} node#{other}" }
      {
        'TESTBED_NODE' => number.to_s,
        'TESTBED_ADDRESS' => address(number),
        'TESTBED_ETCD_ADDRESS' => address(1),
        'TESTBED_HOSTS' => hosts.join("\n"),
        'TESTBED_DOCKER' => @docker ? '1' : '0',
      }
    end

    private

    def text(name)
      value = @env[name].to_s.strip
      value unless value.empty?
    end

    def file(name)
      path = text(name)
      return path if path.nil? || File.file?(path)

      raise WrongSetting, "#{name}=#{path}: there is no such file."
    end

    def choice(name, allowed)
      value = text(name)
      return value if value.nil? || allowed.include?(value)

      raise WrongSetting, "#{name}=#{value}: give one of #{allowed.join(', ')}."
    end

    def number(name, range, default)
      value = text(name)
      return default if value.nil?
      return value.to_i if value.match?(/\A\d{1,9}\z/) && range.cover?(value.to_i)

      raise WrongSetting, "#{name}=#{value}: give a whole number from #{range.first} to #{range.last}."
    end

    def underlay_prefix
      value = text('PLAIT_UNDERLAY') || '192.168.56.0/24'
      prefix = value[UNDERLAY, 1]
      return prefix if prefix && prefix.split('.').all? { |part| part.to_i < 256 }

      raise WrongSetting, "PLAIT_UNDERLAY=#{value}: give an IPv4 network such as 192.168.56.0/24 (its size is always /24)."
    end
  end
end
