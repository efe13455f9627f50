# frozen_string_literal: true

# A reactor of the gem async, as Falcon has one: it goes on while calls wait, and what it gives up is cancelled.
RSpec.describe 'in a reactor of the gem async' do
  before(:context) do
    require 'async'
  rescue LoadError
    skip 'the gem async is not here: ruby-async of Debian'
  end

  let(:faults) { Endpoint.faults }
  let(:held) { open_store(endpoint: faults.url, timeout_ms: 60_000, attempt_timeout_ms: 60_000, shared: false) }

  after { faults.reset }

  def in_reactor(&)
    thread = Thread.new { Async(&).wait }
    thread.report_on_exception = false
    expect(thread.join(60)).to be thread
    thread.value
  end

  it 'other tasks run while calls wait, each with its own answer' do
    20.times { |number| held.upsert('features', "flag-#{number}", version: 1, item: number.to_s) }
    faults.script({ do: 'hold' })
    answers = in_reactor do |task|
      reads = Array.new(20) { |number| task.async { held.get('features', "flag-#{number}").item } }
      # They are all at the endpoint, and this task has its turn.
      faults.wait_for('hold', count: 20)
      expect(reads.map(&:running?)).to all be true
      faults.reset
      reads.map(&:wait)
    end
    expect(answers).to eq Array.new(20, &:to_s)
  end

  it 'a task that is stopped, or out of time, ends its call' do
    faults.script({ do: 'hold' })
    in_reactor do |task|
      reading = task.async { held.get('features', 'flag') }
      faults.wait_for('hold')
      reading.stop
      expect(reading.running?).to be false
      # Version 1 of async tells the call that it was given up by raising nothing.
      expect { task.with_timeout(0.1) { held.all('features') } }.to raise_error do |error|
        expect(error).to be_a(Async::TimeoutError).or have_attributes(code_name: 'STORE_CANCELLED', retriable?: false)
      end
    end
    faults.reset
    expect(held.get('features', 'flag')).to be_nil
  end

  it 'other tasks run while the doctor looks' do
    silent = TCPServer.new('127.0.0.1', 0)
    options = { **endpoint.options, endpoint: "http://127.0.0.1:#{silent.addr[1]}", timeout_ms: 1_000 }
    in_reactor do |task|
      looking = task.async { Flagstore::Store.doctor(table: TABLE, **options) }
      silent.accept.close
      expect(looking.running?).to be true
      expect(looking.wait.problems).to be > 0
    end
  ensure
    silent&.close
  end
end
