# frozen_string_literal: true

require 'open3'
require 'rbconfig'

require_relative 'fork_scenarios'

# Forks: a child uses, closes and leaves what its parent opened, and the parent does not notice.
RSpec.describe 'fork' do
  rounds = Integer(ENV.fetch('FLAGSTORE_FORKS', 100))

  ForkScenarios.public_instance_methods(false).each do |name|
    it "is survived: #{name.to_s.tr('_', ' ')}" do
      program = File.expand_path('fork_scenarios.rb', __dir__)
      command = [RbConfig.ruby, program, name.to_s, endpoint.url, prefix, rounds.to_s]
      output, status = Open3.capture2e(*command)
      expect([output, status.exitstatus]).to eq ['', 0]
    end
  end
end
