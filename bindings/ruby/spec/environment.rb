# frozen_string_literal: true

# What every spec needs: the library, endpoints that start at the first use and end with the run, and a watchdog.

$LOAD_PATH.unshift(File.expand_path('../lib', __dir__))

require_relative 'endpoint'
require_relative 'rows'

RELEASE = "#{REPOSITORY}/target/release/libflagstore.so".freeze
ENV['FLAGSTORE_LIBRARY'] = RELEASE if ENV['FLAGSTORE_LIBRARY'].to_s.empty? && File.file?(RELEASE)

require 'flagstore'

# Stores on the local endpoint, under a prefix that no other example has, closed when the example ends.
module Stores
  def self.included(group)
    group.let(:endpoint) { Endpoint.local }
    group.let(:prefix) { "ruby-#{Process.pid}-#{Stores.next_number}" }
    group.let(:store) { open_store }
    group.let(:rows) { Rows.new(endpoint, prefix) }
    group.after { opened.each(&:close) }
  end

  def self.next_number
    @number = @number.to_i + 1
  end

  def opened
    @opened ||= []
  end

  # The names of all options, as the library says them.
  def option_names
    Flagstore::Store.open(table: TABLE, tabel: 'x')
  rescue Flagstore::OptionError => e
    e.message[/there are (.*)/, 1].scan(/\w+/).map(&:to_sym) - [:and]
  end

  def open_store(**options)
    store = Flagstore::Store.open(**{ table: TABLE, prefix: prefix, **endpoint.options }, **options)
    opened << store
    store
  end
end

# Ends an example that takes longer than any may, and the run if that does not help, with a stack of every thread.
module Watchdog
  SECONDS = 180
  SECONDS_TO_END = 30

  class Expired < StandardError; end

  def self.watch(description)
    watcher = Thread.new do
      sleep SECONDS
      Thread.list.each { |thread| warn "#{thread.inspect}\n  #{thread.backtrace&.first(20)&.join("\n  ")}" }
      Thread.main.raise(Expired, "no end after #{SECONDS} s")
      sleep SECONDS_TO_END
      warn "\n#{description}: no end after #{SECONDS} s"
      exit!(70)
    end
    yield
  ensure
    watcher.kill
  end
end

RSpec.configure do |config|
  config.include Stores
  config.disable_monkey_patching!
  config.order = :defined
  config.around { |example| Watchdog.watch(example.full_description) { example.run } }
  config.after(:suite) { Endpoint.end_all }
end
